"""What operators, and the days that come, do to subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import errors, outbox, timekeeping
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import (
    DESTRUCTION_AFTER,
    Event,
    SubscriptionEnded,
    SubscriptionMoved,
    SubscriptionReinstated,
)
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import contracts, telling
from services.portal.rules import clients
from services.portal.rules.clients import Step
from services.portal.rules.destruction import DestructionBegun
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant

_ACTS: dict[Step, Callable[[str], Act]] = {
    "announce_end": acts.SubscriptionEndAnnounced,
    "end": acts.SubscriptionEnded,
    "lapse": acts.SubscriptionEnded,
    "suspend": acts.SubscriptionSuspended,
    "resume": acts.SubscriptionResumed,
    "reinstate": acts.SubscriptionReinstated,
}


async def step_subscription(
    pool: Pool,
    operator: Actor,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """Moves a subscription to its next state and tells every service.

    Raises NotFound, StepRefused, MaintenanceOver."""
    async with transaction(pool) as conn:
        return await move_subscription(conn, operator, tenant_id, step, reason, ends_at)


async def move_subscription(
    conn: Connection,
    operator: Actor,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """Moves a subscription within a transaction, by an operator or, where its day came, by COFFRE.

    Raises NotFound, StepRefused, MaintenanceOver, DestructionBegun."""
    now = await timekeeping.tell_time(conn)
    before = await telling.lock_tenant(conn, tenant_id)
    state = clients.next_state(step, before.subscription)
    if state == "active":
        clients.check_maintenance(before.maintenance_until, before.timezone, now)
    if step == "reinstate" and await store.destruction.is_permitted(conn, tenant_id):
        raise DestructionBegun
    ended_at = now if state == "ended" else None
    version = await store.clients.set_subscription(
        conn, tenant_id, state, reason, since=now, ends_at=ends_at, ended_at=ended_at
    )
    after = replace(
        before,
        subscription=state,
        subscription_reason=reason,
        subscription_since=now,
        ends_at=ends_at,
        ended_at=ended_at,
        destruction_due_at=None,
        version=version,
    )
    await contracts.follow_subscription(conn, operator, before, step, now)
    await store.clients.tell_ingest(conn, after)
    await telling.publish_tenant(conn, after)
    await outbox.add_all(conn, _tell(after, step, now))
    await log.note(conn, operator, _ACTS[step](reason), tenant_id)
    return after


def _tell(after: Tenant, step: Step, now: datetime) -> list[Event]:
    """What is said of a step: to the services, and to the administrators."""
    told: list[Event] = [
        SubscriptionMoved(
            tenant_id=after.tenant_id,
            version=after.version,
            step=step,
            state=after.subscription,
            reason=after.subscription_reason,
            at=now,
            ends_at=after.ends_at,
            destruction_due_at=after.ended_at + DESTRUCTION_AFTER if after.ended_at else None,
            maintenance_until=after.maintenance_until,
        )
    ]
    if after.subscription == "ended":
        told.append(
            SubscriptionEnded(
                tenant_id=after.tenant_id,
                version=after.version,
                ended_at=now,
                reason=after.subscription_reason,
            )
        )
    elif step == "reinstate":
        told.append(
            SubscriptionReinstated(
                tenant_id=after.tenant_id,
                version=after.version,
                reinstated_at=now,
                reason=after.subscription_reason,
            )
        )
    return told


async def check_recovery(conn: Connection, tenant_id: UUID) -> Tenant:
    """The tenant; raises RecoveryBlocked unless its files may be read now."""
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("plan")
    clients.check_recovery(tenant.subscription, tenant.subscription_reason)
    return tenant
