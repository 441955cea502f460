"""SQL of tenants' accounts: contract, volume, block, and the allowance that was told."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection, Record
from libs.shared.events import TenantChanged, VolumeChanged
from services.quota.rules.accounts import Account, Allowance, Block

_COLUMNS = """tenant_id, contracted_bytes, stored_bytes, locale, timezone, subscription,
    block_reason, block_at_bytes, block_case_id, level_percent, case_id, ceiling_bytes, blocked,
    reason"""


def _account(row: Record | None) -> Account | None:
    if row is None:
        return None
    block = allowance = None
    if row["block_reason"] is not None:
        block = Block(row["block_reason"], row["block_at_bytes"], row["block_case_id"])
    if row["ceiling_bytes"] is not None:
        allowance = Allowance(row["ceiling_bytes"], row["blocked"], row["reason"])
    return Account(
        row["tenant_id"],
        row["contracted_bytes"],
        row["stored_bytes"],
        row["locale"],
        row["timezone"],
        row["subscription"],
        block,
        row["level_percent"],
        row["case_id"],
        allowance,
    )


async def put_contract(conn: Connection, tenant_id: UUID, event: TenantChanged) -> Account | None:
    """Keeps what is newer; returns the account, locked, or None where nothing was newer."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO allowances AS a
            (tenant_id, tenant_version, contracted_bytes, locale, timezone, subscription)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id) DO UPDATE SET tenant_version = $2, contracted_bytes = $3,
            locale = $4, timezone = $5, subscription = $6
        WHERE a.tenant_version < $2
        RETURNING {_COLUMNS}
        """,
        tenant_id,
        event.version,
        event.contracted_bytes,
        event.locale,
        event.timezone,
        event.subscription,
    )
    return _account(row)


async def put_volume(conn: Connection, tenant_id: UUID, event: VolumeChanged) -> Account | None:
    """Keeps what is newer; returns the account, locked, or None where nothing was newer."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO allowances AS a (tenant_id, volume_sequence, stored_bytes, protected_bytes)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE
            SET volume_sequence = $2, stored_bytes = $3, protected_bytes = $4
        WHERE a.volume_sequence < $2
        RETURNING {_COLUMNS}
        """,
        tenant_id,
        event.sequence,
        event.stored_bytes,
        event.protected_bytes,
    )
    return _account(row)


async def lock(conn: Connection, tenant_id: UUID) -> Account | None:
    """Returns what is known of a tenant, locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM allowances WHERE tenant_id = $1 FOR UPDATE
        """,
        tenant_id,
    )
    return _account(row)


async def put_block(conn: Connection, tenant_id: UUID, block: Block | None) -> None:
    await conn.execute(
        """
        UPDATE allowances SET block_reason = $2, block_at_bytes = $3, block_case_id = $4
        WHERE tenant_id = $1
        """,
        tenant_id,
        block.reason if block else None,
        block.at_bytes if block else None,
        block.case_id if block else None,
    )


async def put_level(conn: Connection, tenant_id: UUID, level_percent: int) -> None:
    await conn.execute(
        """
        UPDATE allowances SET level_percent = $2 WHERE tenant_id = $1
        """,
        tenant_id,
        level_percent,
    )


async def put_allowance(conn: Connection, tenant_id: UUID, allowance: Allowance) -> int:
    """Keeps an allowance that differs from the last; returns its version."""
    version: int = await conn.fetchval(
        """
        UPDATE allowances
        SET version = version + 1, ceiling_bytes = $2, blocked = $3, reason = $4
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        allowance.ceiling_bytes,
        allowance.blocked,
        allowance.reason,
    )
    return version


class ContractedVolume(NamedTuple):
    """What a tenant stores of what it contracted."""

    tenant_id: UUID
    stored_bytes: int
    contracted_bytes: int


async def list_volumes(conn: Connection) -> list[ContractedVolume]:
    """Returns the volumes of all tenants whose contract is known."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, stored_bytes, contracted_bytes FROM allowances
        WHERE contracted_bytes IS NOT NULL ORDER BY tenant_id
        """
    )
    return [ContractedVolume(*row) for row in rows]


class Sum(NamedTuple):
    """Tenants of one kind of subscription at one level, and what they come to together."""

    subscription: str
    level_percent: int
    clients: int
    blocked: int
    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int


async def sum_up(conn: Connection) -> list[Sum]:
    """Sums all tenants up, a row for each kind of subscription and level."""
    rows = await conn.fetch(
        """
        SELECT subscription, level_percent, count(*), count(*) FILTER (WHERE blocked),
               sum(stored_bytes)::bigint, sum(protected_bytes)::bigint,
               coalesce(sum(contracted_bytes), 0)::bigint
        FROM allowances GROUP BY subscription, level_percent
        """
    )
    return [Sum(*row) for row in rows]
