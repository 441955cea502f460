"""Price lists as they were put, and what reporting was told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection


@dataclass(frozen=True)
class Put:
    """Price lists that somebody put, as JSON."""

    version: int
    put_at: datetime
    put_by: str
    lists: list[dict[str, Any]]


async def find(conn: Connection) -> Put:
    """The price lists that count."""
    row = await conn.fetchrow(
        """
        SELECT version, put_at, put_by, lists FROM price_lists ORDER BY version DESC LIMIT 1
        """
    )
    if row is None:
        raise RuntimeError("there are no price lists: the migrations begin with some")
    return Put(**row)


async def add(conn: Connection, put: Put) -> bool:
    """Writes newer price lists; False where another was quicker with this version."""
    row = await conn.fetchrow(
        """
        INSERT INTO price_lists (version, put_at, put_by, lists) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING version
        """,
        put.version,
        put.put_at,
        put.put_by,
        put.lists,
    )
    return row is not None


@dataclass(frozen=True)
class OffersSent:
    """What reporting was told last of the sizes that a client could order."""

    version: int
    told: dict[str, Any]


@dataclass(frozen=True)
class Buyer:
    """A client that could order, and what reporting was told of that."""

    tenant_id: UUID
    contracted_bytes: int
    timezone: str
    told: dict[str, Any] | None


async def find_published(conn: Connection, tenant_id: UUID) -> OffersSent:
    """What reporting was told of a client; version 0 where that was nothing yet."""
    row = await conn.fetchrow(
        """
        SELECT version, told FROM offers_told WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return OffersSent(**row) if row else OffersSent(0, {})


async def put_published(
    conn: Connection, tenant_id: UUID, version: int, told: dict[str, Any]
) -> None:
    """Keeps what reporting is told of a client."""
    await conn.execute(
        """
        INSERT INTO offers_told (tenant_id, version, told) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET version = $2, told = $3
        """,
        tenant_id,
        version,
        told,
    )


async def list_all_published(conn: Connection) -> list[Buyer]:
    """What reporting was told of every client that may order."""
    rows = await conn.fetch(
        """
        SELECT t.tenant_id, t.contracted_bytes, t.timezone, o.told
        FROM tenants t LEFT JOIN offers_told o USING (tenant_id)
        WHERE t.subscription IN ('active', 'ending')
        """
    )
    return [Buyer(**row) for row in rows]
