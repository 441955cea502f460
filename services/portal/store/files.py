"""The catalogue as the portal reads it, beyond what libs.shared.catalogue offers; selections.

What reads the catalogue does so within a `tenant_transaction`: row-level security shows one
tenant's rows only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
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
        SELECT c.chunk_id, c.pack_no, c."offset", c.length, c.size, c.encoding,
            c.start, c.frame_size
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


@dataclass(frozen=True)
class SelectedPlace:
    """A file or folder that somebody ticked, in a restore point; place_id: its name in forms."""

    place_id: UUID
    plan_id: UUID
    number: int
    path: bytes


async def lock_selected(conn: Connection, user_id: UUID) -> None:
    """Lets nobody else add to what somebody ticked until the transaction ends."""
    await conn.execute(
        """
        SELECT FROM users WHERE user_id = $1 FOR NO KEY UPDATE
        """,
        user_id,
    )


async def add_selected(
    conn: Connection,
    tenant_id: UUID,
    user_id: UUID,
    places: Sequence[SelectedPlace],
    now: datetime,
) -> None:
    """Adds to what somebody ticked; what is in it already stays once."""
    await conn.execute(
        """
        INSERT INTO selected (user_id, place_id, tenant_id, plan_id, number, path, added_at)
        SELECT $1, place_id, $2, plan_id, number, path, $7
        FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::bytea[])
            AS added (place_id, plan_id, number, path)
        ON CONFLICT DO NOTHING
        """,
        user_id,
        tenant_id,
        [one.place_id for one in places],
        [one.plan_id for one in places],
        [one.number for one in places],
        [one.path for one in places],
        now,
    )


async def count_selected(conn: Connection, user_id: UUID) -> int:
    """How much somebody ticked."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM selected WHERE user_id = $1
        """,
        user_id,
    )
    return count


async def list_selected(conn: Connection, user_id: UUID) -> list[SelectedPlace]:
    """What somebody ticked."""
    rows = await conn.fetch(
        """
        SELECT place_id, plan_id, number, path FROM selected WHERE user_id = $1
        """,
        user_id,
    )
    return [SelectedPlace(**row) for row in rows]


async def drop_selected(conn: Connection, user_id: UUID, chosen: Collection[UUID] | None) -> None:
    """Takes some of what somebody ticked away, None for all of it."""
    await conn.execute(
        """
        DELETE FROM selected WHERE user_id = $1 AND ($2::uuid[] IS NULL OR place_id = ANY ($2))
        """,
        user_id,
        chosen if chosen is None else list(chosen),
    )


async def prune_selected(conn: Connection, before: datetime) -> None:
    """Forgets what was ticked before then."""
    await conn.execute(
        """
        DELETE FROM selected WHERE added_at < $1
        """,
        before,
    )
