"""How a destruction stands, told to those who show it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.shared import logs, outbox
from libs.shared.database import Connection
from libs.shared.events import DestructionProgressed, DestructionState
from libs.shared.reasons import Reason
from services.retention import store


async def move(
    conn: Connection,
    tenant_id: UUID,
    state: DestructionState,
    reasons: Sequence[Reason] = (),
) -> None:
    """Moves a destruction to a state, and tells of it if that is new."""
    written = [reason.as_dict() for reason in reasons]
    if await store.destruction.days.set_state(conn, tenant_id, state, written):
        await tell(conn, tenant_id, state, reasons)
        logs.get().info(
            "destruction.moved",
            tenant_id=str(tenant_id),
            state=state,
            reasons=[reason.code for reason in reasons],
        )


async def tell(
    conn: Connection,
    tenant_id: UUID,
    state: DestructionState,
    reasons: Sequence[Reason] = (),
) -> None:
    """Tells how a destruction stands now."""
    due = await store.destruction.days.lock(conn, tenant_id)
    work = await store.destruction.inventories.find(conn, tenant_id)
    await outbox.add(
        conn,
        DestructionProgressed(
            tenant_id=tenant_id,
            version=await store.destruction.days.count_published(conn, tenant_id),
            state=state,
            due_at=due.due_at if due else None,
            objects_left=work.objects_left if work else None,
            reasons=tuple(reasons),
        ),
    )
