"""The catalogue as the portal reads it, beyond what libs.shared.catalogue offers.

All of it within a `tenant_transaction`: row-level security shows one tenant's rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.restores import PlacedChunk


@dataclass(frozen=True)
class NamedPlan:
    """A plan and the machine that it belongs to."""

    plan_id: UUID
    name: str
    hostname: str


async def find_plans_by_name(conn: Connection, tenant_id: UUID, name: str) -> list[NamedPlan]:
    """A tenant's plans of one name: several machines may use the same."""
    rows = await conn.fetch(
        """SELECT c.plan_id, c.name, coalesce(a.hostname, '') AS hostname
           FROM catalogue.plans c
           LEFT JOIN portal.agents a ON a.agent_id = c.agent_id AND a.tenant_id = c.tenant_id
           WHERE c.tenant_id = $1 AND c.name = $2 ORDER BY a.hostname, c.plan_id""",
        tenant_id,
        name,
    )
    return [NamedPlan(**row) for row in rows]


async def find_pack_ids(conn: Connection, tenant_id: UUID, pack_nos: list[int]) -> dict[int, bytes]:
    """The packs' names by number, of those that the tenant has."""
    rows = await conn.fetch(
        "SELECT pack_no, pack_id FROM catalogue.packs"
        " WHERE tenant_id = $1 AND pack_no = ANY ($2::bigint[])",
        tenant_id,
        pack_nos,
    )
    return {row[0]: row[1] for row in rows}


async def list_places(
    conn: Connection, tenant_id: UUID, chunk_ids: list[bytes]
) -> list[PlacedChunk]:
    """Where chunks lie, of those the tenant has."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key; many at once would read the whole table.
        'SELECT c.chunk_id, c.pack_no, c."offset", c.length, c.size, c.encoding'
        " FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL ("
        "  SELECT * FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = k.chunk_id LIMIT 1"
        " ) c",
        tenant_id,
        chunk_ids,
    )
    return [PlacedChunk(*row) for row in rows]
