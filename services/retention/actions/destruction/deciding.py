"""What words of others do to a destruction: ends, holds, confirmations, the permission."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import logs, outbox
from libs.shared.database import Connection
from libs.shared.events import (
    DestructionDecided,
    DestructionPermitted,
    DestructionScheduled,
    SubscriptionEnded,
    SubscriptionReinstated,
)
from services.retention import rules, store
from services.retention.actions.destruction import telling


async def schedule(conn: Connection, event: SubscriptionEnded, now: datetime) -> None:
    """Writes down when an ended tenant is due, unless something newer is known."""
    tenant_id = event.tenant_id
    due_at = rules.destruction.find_destruction_date(event.ended_at)
    if not await store.destruction.days.schedule_destruction(
        conn, tenant_id, event.version, event.ended_at, due_at, event.reason
    ):
        return
    await store.destruction.inventories.drop(conn, tenant_id)
    await outbox.add(
        conn,
        DestructionScheduled(
            tenant_id=tenant_id, ended_at=event.ended_at, due_at=due_at, version=event.version
        ),
    )
    logs.get().info("destruction.scheduled", tenant_id=str(tenant_id), due_at=due_at.isoformat())
    await telling.tell(conn, tenant_id, "scheduled")
    if await store.destruction.days.is_held(conn, tenant_id, now):
        await telling.move(conn, tenant_id, "held")


async def cancel(conn: Connection, event: SubscriptionReinstated) -> None:
    """Writes down that nothing is due, unless something newer is known.

    What was permitted can't be cancelled, and the portal refuses to reinstate then.
    """
    tenant_id = event.tenant_id
    if await store.destruction.days.cancel_destruction(
        conn, tenant_id, event.version, event.reason
    ):
        await store.destruction.inventories.drop(conn, tenant_id)
        await telling.tell(conn, tenant_id, "cancelled")
        logs.get().info("destruction.cancelled", tenant_id=str(tenant_id))


async def decide(conn: Connection, event: DestructionDecided, now: datetime) -> None:
    """Takes an operator's decision: the newer word wins, and none undoes what was permitted."""
    tenant_id = event.tenant_id
    if event.decision == "confirm":
        if await store.destruction.days.confirm(conn, tenant_id, event.ended_at, event.by):
            await telling.move(conn, tenant_id, "running")
            await store.destruction.days.wake(conn)
            logs.get().warning("destruction.confirmed", tenant_id=str(tenant_id), by=event.by)
        return
    if not await store.destruction.days.put_hold(
        conn,
        tenant_id,
        event.version,
        event.until,
        event.reason,
        held=event.decision == "hold",
    ):
        return
    await settle_hold(conn, event.tenant_id, now)


async def settle_hold(conn: Connection, tenant_id: UUID, now: datetime) -> bool:
    """Brings a destruction into agreement with the hold that is in force, or not any more.

    Returns whether it is held.
    """
    due = await store.destruction.days.lock(conn, tenant_id)
    work = await store.destruction.inventories.find(conn, tenant_id)
    if due is None or due.state == "completed" or (work and work.permitted_at):
        return False
    is_held = await store.destruction.days.is_held(conn, tenant_id, now)
    if is_held:
        await telling.move(conn, tenant_id, "held")
    elif due.state == "held":
        # What was listed may be months old.
        await store.destruction.inventories.drop(conn, tenant_id)
        await telling.move(conn, tenant_id, "scheduled")
        await store.destruction.days.wake(conn)
    return is_held


async def permit(conn: Connection, event: DestructionPermitted) -> None:
    """From here on all is destroyed: the portal lets nobody take the end back any more."""
    if await store.destruction.inventories.permit(
        conn,
        event.tenant_id,
        event.destruction_id,
        event.client,
        event.locale,
        event.reason,
        event.permitted_at,
    ):
        await store.destruction.days.wake(conn)
        logs.get().warning(
            "destruction.permitted",
            tenant_id=str(event.tenant_id),
            destruction_id=str(event.destruction_id),
        )
