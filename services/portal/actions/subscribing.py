"""What operators, and the days that come, do to subscriptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import clock, outbox
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Event, SubscriptionEnded, SubscriptionReinstated
from services.portal import store
from services.portal.actions import acts
from services.portal.rules import subscriptions
from services.portal.rules.people import Person
from services.portal.rules.subscriptions import Step
from services.portal.store.tenants import Tenant


async def step_subscription(
    pool: Pool,
    operator: Person | None,
    address: str,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """Moves a subscription to its next state and tells every service.

    Raises NotFound, StepRefused."""
    async with transaction(pool) as conn:
        return await move_subscription(conn, operator, address, tenant_id, step, reason, ends_at)


async def move_subscription(
    conn: Connection,
    operator: Person | None,
    address: str,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """As `step_subscription`, within a transaction; without an operator the day had come."""
    now = clock.now()
    before = await acts.lock_tenant(conn, tenant_id)
    state = subscriptions.next_state(step, before.subscription)
    ended_at = now if step == "end" else None
    version = await store.tenants.set_subscription(
        conn, tenant_id, state, reason, ends_at=ends_at, ended_at=ended_at
    )
    after = replace(
        before,
        subscription=state,
        subscription_reason=reason,
        ends_at=ends_at,
        ended_at=ended_at,
        destruction_due_at=None,
        version=version,
    )
    await acts.publish_tenant(conn, after)
    event: Event | None = None
    if step == "end":
        event = SubscriptionEnded(tenant_id=tenant_id, version=version, ended_at=now, reason=reason)
    elif step == "reinstate":
        event = SubscriptionReinstated(
            tenant_id=tenant_id, version=version, reinstated_at=now, reason=reason
        )
    if event is not None:
        await outbox.add(conn, event)
    await acts.log(conn, operator, address, tenant_id, f"subscription-{step}", {"reason": reason})
    return after
