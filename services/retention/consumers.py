"""Events in."""

from __future__ import annotations

import base64

from libs.shared import clock, logs
from libs.shared.database import Connection
from libs.shared.events import (
    DestructionDecided,
    DestructionPermitted,
    ExpiryDecided,
    ReductionOrdered,
    ReductionWithdrawn,
    RunFinished,
    RunJudged,
    StorageDoubted,
    SubscriptionEnded,
    SubscriptionReinstated,
    TenantChanged,
    TenantErased,
)
from libs.shared.inbox import Handlers
from services.retention import actions, rules, store


async def on_tenant_changed(conn: Connection, event: TenantChanged) -> None:
    """Keeps for how long a tenant wants its versions."""
    await store.tenants.put(
        conn, event.tenant_id, event.version, event.retention_days, event.subscription
    )


async def on_subscription_ended(conn: Connection, event: SubscriptionEnded) -> None:
    """Sets the day of destruction."""
    await actions.destruction.deciding.schedule(conn, event, clock.now())


async def on_subscription_reinstated(conn: Connection, event: SubscriptionReinstated) -> None:
    """Takes the day of destruction back."""
    await actions.destruction.deciding.cancel(conn, event)


async def on_destruction_permitted(conn: Connection, event: DestructionPermitted) -> None:
    """Lets a destruction begin that waited for this."""
    await actions.destruction.deciding.permit(conn, event)


async def on_destruction_decided(conn: Connection, event: DestructionDecided) -> None:
    """Does what operators decided of a destruction."""
    await actions.destruction.deciding.decide(conn, event, clock.now())


async def on_tenant_erased(conn: Connection, event: TenantErased) -> None:
    """Keeps what a service erased, for the certificate."""
    await actions.destruction.ending.keep_share(conn, event)


async def on_storage_doubted(conn: Connection, event: StorageDoubted) -> None:
    await store.scrubbing.make_due(conn, event.tenant_id, bytes.fromhex(event.pack_id))


async def on_run_finished(conn: Connection, event: RunFinished) -> None:
    """Looks at once whether much is gone that was settled."""
    await store.destruction.days.note_sending(conn, event.tenant_id, event.finished_at)
    tenant = await store.tenants.find(conn, event.tenant_id) if event.restore_point else None
    if tenant is not None:
        now = clock.now()
        window = rules.expiry.find_window(now, tenant.retention_days)
        await store.sessions.allow_long_statements(conn)
        await actions.expiry.judge_run(conn, event.tenant_id, event.plan_id, window, now)


async def on_run_judged(conn: Connection, event: RunJudged) -> None:
    """Holds a plan's expiry where its run was unusual."""
    await actions.expiry.hold_unusual(conn, event)


async def on_expiry_decided(conn: Connection, event: ExpiryDecided) -> None:
    await actions.expiry.follow_decision(conn, event)


async def on_reduction_ordered(conn: Connection, event: ReductionOrdered) -> None:
    """Keeps that copies are to be dropped."""
    order = rules.reductions.Reduction(
        tenant_id=event.tenant_id,
        reduction_id=event.reduction_id,
        plan_id=event.plan_id,
        what=event.what,
        folder=None if event.folder is None else base64.b64decode(event.folder),
        before=event.before,
        state="ordered",
        undo_until=None,
    )
    if await store.reductions.put(conn, order, event.by, event.ordered_at):
        logs.get().info(
            "reduction.ordered",
            tenant_id=str(event.tenant_id),
            reduction_id=str(event.reduction_id),
            what=event.what,
        )


async def on_reduction_withdrawn(conn: Connection, event: ReductionWithdrawn) -> None:
    """Keeps what was to be dropped."""
    await actions.reductions.withdraw(conn, event.tenant_id, event.reduction_id)


HANDLERS: Handlers = {
    TenantChanged: on_tenant_changed,
    SubscriptionEnded: on_subscription_ended,
    SubscriptionReinstated: on_subscription_reinstated,
    RunFinished: on_run_finished,
    StorageDoubted: on_storage_doubted,
    RunJudged: on_run_judged,
    ExpiryDecided: on_expiry_decided,
    ReductionOrdered: on_reduction_ordered,
    ReductionWithdrawn: on_reduction_withdrawn,
    DestructionPermitted: on_destruction_permitted,
    DestructionDecided: on_destruction_decided,
    TenantErased: on_tenant_erased,
}
