"""What operators do about events that wait for a person; the services do what is decided."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from libs.shared import clock, errors, outbox
from libs.shared.database import Pool, transaction
from libs.shared.events import ParkedDecided
from services.portal import store
from services.portal.actions import log
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.parked import Decision, Parked

KEPT = timedelta(days=35)
_MOST = 1000


async def list_parked(pool: Pool, operator: Actor) -> list[Parked]:
    """The oldest events that wait, of all services."""
    async with transaction(pool) as conn:
        found = await store.parked.list_waiting(conn, _MOST)
        await log.note(conn, operator, acts.ParkedListed(len(found)))
    return found


async def view_parked(pool: Pool, operator: Actor, service: str, event_id: UUID) -> Parked:
    """One event that waits; raises NotFound."""
    async with transaction(pool) as conn:
        found = await store.parked.find(conn, service, event_id)
        if found is None:
            raise errors.NotFound("parked event")
        await log.note(conn, operator, acts.ParkedViewed(service, str(event_id)))
    return found


async def decide(
    pool: Pool, operator: Actor, service: str, event_id: UUID, decision: Decision, reason: str
) -> None:
    """Has a service handle an event again, or count it as done; raises NotFound."""
    async with transaction(pool) as conn:
        found = await store.parked.find(conn, service, event_id)
        if found is None:
            raise errors.NotFound("parked event")
        await store.parked.decide(
            conn, service, event_id, decision, reason, operator.name, clock.now()
        )
        told = ParkedDecided(
            tenant_id=found.tenant_id,
            service=service,
            event_id=event_id,
            decision=decision,
            reason=reason,
            by=operator.name,
        )
        await outbox.add(conn, told)
        await log.note(conn, operator, acts.ParkedDecided(service, str(event_id), decision, reason))
