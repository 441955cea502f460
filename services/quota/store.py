"""All SQL of quota."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.quota.rules import Account, Allowance, Block


async def put_contract(
    conn: Connection, tenant_id: UUID, version: int, contracted_bytes: int
) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO allowances AS a (tenant_id, tenant_version, contracted_bytes)
        VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET tenant_version = $2, contracted_bytes = $3
        WHERE a.tenant_version < $2
        """,
        tenant_id,
        version,
        contracted_bytes,
    )
    return database.changed(status) == 1


async def put_volume(
    conn: Connection, tenant_id: UUID, sequence: int, stored_bytes: int, protected_bytes: int
) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO allowances AS a (tenant_id, volume_sequence, stored_bytes, protected_bytes)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE
            SET volume_sequence = $2, stored_bytes = $3, protected_bytes = $4
        WHERE a.volume_sequence < $2
        """,
        tenant_id,
        sequence,
        stored_bytes,
        protected_bytes,
    )
    return database.changed(status) == 1


async def lock_account(conn: Connection, tenant_id: UUID) -> Account | None:
    """Returns what is known of a tenant, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT contracted_bytes, stored_bytes, block_reason, block_at_bytes FROM allowances
        WHERE tenant_id = $1 FOR UPDATE
        """,
        tenant_id,
    )
    if row is None:
        return None
    block = None
    if row["block_reason"] is not None:
        block = Block(row["block_reason"], row["block_at_bytes"])
    return Account(row["contracted_bytes"], row["stored_bytes"], block)


async def put_block(conn: Connection, tenant_id: UUID, block: Block | None) -> None:
    await conn.execute(
        """
        UPDATE allowances SET block_reason = $2, block_at_bytes = $3 WHERE tenant_id = $1
        """,
        tenant_id,
        block.reason if block else None,
        block.at_bytes if block else None,
    )


async def add_decision(
    conn: Connection,
    tenant_id: UUID,
    decision_id: UUID,
    at: datetime,
    decision: Literal["block", "unblock"],
    reason: str,
) -> None:
    await conn.execute(
        """
        INSERT INTO decisions (tenant_id, decision_id, decided_at, decision, reason)
        VALUES ($1, $2, $3, $4, $5)
        """,
        tenant_id,
        decision_id,
        at,
        decision,
        reason,
    )


async def put_allowance(conn: Connection, tenant_id: UUID, allowance: Allowance) -> int | None:
    """Keeps an allowance that differs from the last; returns its version, None if it doesn't."""
    version: int | None = await conn.fetchval(
        """
        UPDATE allowances
        SET version = version + 1, ceiling_bytes = $2, blocked = $3, reason = $4
        WHERE tenant_id = $1
          AND (ceiling_bytes, blocked, reason) IS DISTINCT FROM ($2::bigint, $3::boolean, $4::text)
        RETURNING version
        """,
        tenant_id,
        allowance.ceiling_bytes,
        allowance.blocked,
        allowance.reason,
    )
    return version
