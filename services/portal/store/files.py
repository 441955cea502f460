"""The catalogue as the portal reads it, beyond what libs.shared.catalogue offers.

All of it within a `tenant_transaction`: row-level security shows one tenant's rows only.
"""

from __future__ import annotations

from uuid import UUID

from libs.shared import catalogue
from libs.shared.database import Connection
from libs.shared.restores import PlacedChunk


async def find_pack_ids(conn: Connection, tenant_id: UUID, pack_nos: list[int]) -> dict[int, bytes]:
    """The packs' names by number, of those that the tenant has."""
    rows = await conn.fetch(
        """
        SELECT pack_no, pack_id FROM catalogue.packs
        WHERE tenant_id = $1 AND pack_no = ANY ($2::bigint[])
        """,
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
        """
        SELECT c.chunk_id, c.pack_no, c."offset", c.length, c.size, c.encoding
        FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL (
        SELECT * FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = k.chunk_id LIMIT 1
            ) c
        """,
        tenant_id,
        chunk_ids,
    )
    return [PlacedChunk(*row) for row in rows]


async def find_folder_ids(
    conn: Connection, tenant_id: UUID, plan_id: UUID, path: bytes, names: list[bytes]
) -> dict[bytes, int]:
    """The ids of folders in a folder, by name."""
    if not names:
        return {}
    parent_id = await catalogue.find_folder(conn, tenant_id, plan_id, path)
    rows = await conn.fetch(
        """
        SELECT name, folder_id FROM catalogue.folders
        WHERE tenant_id = $1 AND plan_id = $2 AND parent_id = $3 AND name = ANY ($4::bytea[])
        """,
        tenant_id,
        plan_id,
        parent_id,
        names,
    )
    return {row[0]: row[1] for row in rows}
