"""What quota does: publishes allowances, blocks and unblocks."""

from __future__ import annotations

from uuid import UUID, uuid4

from libs.shared import clock, logs, outbox
from libs.shared.database import Connection
from libs.shared.errors import NotFound
from libs.shared.events import AllowanceChanged
from services.quota import rules, store


async def settle(conn: Connection, tenant_id: UUID) -> None:
    """Decides a tenant's allowance anew, and publishes it if it changed."""
    account = await store.lock_account(conn, tenant_id)
    allowance = rules.decide_allowance(account) if account else None
    if allowance is None:
        return
    version = await store.put_allowance(conn, tenant_id, allowance)
    if version is None:
        return
    event = AllowanceChanged(
        tenant_id=tenant_id,
        version=version,
        ceiling_bytes=allowance.ceiling_bytes,
        blocked=allowance.blocked,
        reason=allowance.reason,
    )
    await outbox.add(conn, event)
    logs.get().info(
        "allowance.changed",
        tenant_id=str(tenant_id),
        ceiling_bytes=allowance.ceiling_bytes,
        blocked=allowance.blocked,
    )


async def block(conn: Connection, tenant_id: UUID, reason: str) -> int:
    """Stops a tenant's growth at what is held now; returns those bytes.

    Blocking again keeps the first ceiling. Raises NotFound for a tenant that quota doesn't know.
    """
    account = await store.lock_account(conn, tenant_id)
    if account is None or account.contracted_bytes is None:
        raise NotFound("tenant")
    at_bytes = account.block.at_bytes if account.block else account.stored_bytes
    await store.put_block(conn, tenant_id, rules.Block(reason, at_bytes))
    await store.add_decision(conn, tenant_id, uuid4(), clock.now(), "block", reason)
    await settle(conn, tenant_id)
    return at_bytes


async def unblock(conn: Connection, tenant_id: UUID, reason: str) -> None:
    """Lets a tenant grow again; raises NotFound for a tenant that quota doesn't know."""
    account = await store.lock_account(conn, tenant_id)
    if account is None or account.contracted_bytes is None:
        raise NotFound("tenant")
    await store.put_block(conn, tenant_id, None)
    await store.add_decision(conn, tenant_id, uuid4(), clock.now(), "unblock", reason)
    await settle(conn, tenant_id)
