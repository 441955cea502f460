"""What operators, and the days that come, do to subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import errors, outbox, timekeeping
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Event, SubscriptionEnded, SubscriptionReinstated
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import contracts, telling
from services.portal.rules import clients
from services.portal.rules.clients import Step
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant

_ACTS: dict[Step, Callable[[str], Act]] = {
    "announce_end": acts.SubscriptionEndAnnounced,
    "end": acts.SubscriptionEnded,
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

    Raises NotFound, StepRefused."""
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

    Raises NotFound, StepRefused."""
    now = await timekeeping.tell_time(conn)
    before = await telling.lock_tenant(conn, tenant_id)
    state = clients.next_state(step, before.subscription)
    ended_at = now if step == "end" else None
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
    event: Event | None = None
    if step == "end":
        event = SubscriptionEnded(tenant_id=tenant_id, version=version, ended_at=now, reason=reason)
    elif step == "reinstate":
        event = SubscriptionReinstated(
            tenant_id=tenant_id, version=version, reinstated_at=now, reason=reason
        )
    if event is not None:
        await outbox.add(conn, event)
    await log.note(conn, operator, _ACTS[step](reason), tenant_id)
    return after


async def check_recovery(conn: Connection, tenant_id: UUID) -> Tenant:
    """The tenant; raises RecoveryBlocked unless its files may be read now."""
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("plan")
    clients.check_recovery(tenant.subscription, tenant.subscription_reason)
    return tenant
