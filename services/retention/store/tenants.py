"""What retention is told of tenants, and when an ended one is due."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection


class Tenant(NamedTuple):
    """A tenant, how its subscription stands, and for how long it keeps superseded versions."""

    tenant_id: UUID
    subscription: str
    retention_days: int


async def put(
    conn: Connection, tenant_id: UUID, version: int, retention_days: int, subscription: str
) -> None:
    """Keeps what is newer."""
    await conn.execute(
        """
        INSERT INTO tenants AS t (tenant_id, version, retention_days, subscription)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE
            SET version = $2, retention_days = $3, subscription = $4
        WHERE t.version < $2 OR (t.version = $2 AND t.subscription = 'unknown')
        """,
        tenant_id,
        version,
        retention_days,
        subscription,
    )


_KNOWN = """SELECT v.tenant_id, CASE WHEN d.state <> 'cancelled' THEN 'ended'
            ELSE coalesce(t.subscription, 'unknown') END, coalesce(t.retention_days, 36500)
        FROM catalogue.volumes v LEFT JOIN tenants t USING (tenant_id)
            LEFT JOIN destructions d USING (tenant_id)
        WHERE NOT EXISTS (SELECT FROM inventories i WHERE i.tenant_id = v.tenant_id
            AND i.permitted_at IS NOT NULL)"""


async def list_all(conn: Connection) -> list[Tenant]:
    """Returns the tenants that have a volume; one that retention was not told of is unknown.

    An end that is known counts, whether or not its tenant's own word has arrived. Those that are
    being destroyed are none of them: nothing is looked after any more.
    """
    rows = await conn.fetch(
        f"""
        {_KNOWN} ORDER BY v.tenant_id
        """
    )
    return [Tenant(*row) for row in rows]


async def find(conn: Connection, tenant_id: UUID) -> Tenant | None:
    """Returns one of `list_all`."""
    row = await conn.fetchrow(
        f"""
        {_KNOWN} AND v.tenant_id = $1
        """,
        tenant_id,
    )
    return Tenant(*row) if row else None
