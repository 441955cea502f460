"""Inventories: what there was in the bucket when a destruction began, line by line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.objects import StoredVersion

_READ_AT_ONCE = 5_000


async def add_page(
    conn: Connection, destruction_id: UUID, page: Sequence[StoredVersion], marker: tuple[str, str]
) -> None:
    """Writes down what was listed, up to a place behind which the listing goes on.

    What was written down before a crash is not counted again.
    """
    await conn.execute(
        """
        WITH added AS (
            INSERT INTO inventory_objects (destruction_id, key, version_id, size_bytes)
            SELECT $1, key, version_id, size_bytes
            FROM unnest($2::text[], $3::text[], $4::bigint[]) AS t (key, version_id, size_bytes)
            ON CONFLICT DO NOTHING RETURNING size_bytes
        )
        UPDATE inventories SET marker_key = $5, marker_version = $6,
            objects = objects + (SELECT count(*) FROM added),
            size_bytes = size_bytes + (SELECT coalesce(sum(size_bytes), 0) FROM added)
        WHERE destruction_id = $1
        """,
        destruction_id,
        [one.key for one in page],
        [one.version_id for one in page],
        [one.size_bytes for one in page],
        *marker,
    )


async def add_late(conn: Connection, destruction_id: UUID, page: Sequence[StoredVersion]) -> None:
    """Writes down those that are not in the inventory: they appeared after it was frozen."""
    await conn.execute(
        """
        INSERT INTO inventory_objects (destruction_id, key, version_id, size_bytes, late)
        SELECT $1, key, version_id, size_bytes, true
        FROM unnest($2::text[], $3::text[], $4::bigint[]) AS t (key, version_id, size_bytes)
        ON CONFLICT DO NOTHING
        """,
        destruction_id,
        [one.key for one in page],
        [one.version_id for one in page],
        [one.size_bytes for one in page],
    )


async def count_late(conn: Connection, destruction_id: UUID) -> int:
    """How many objects appeared after the inventory was frozen."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM inventory_objects WHERE destruction_id = $1 AND late
        """,
        destruction_id,
    )
    return count


async def read(conn: Connection, destruction_id: UUID) -> AsyncGenerator[StoredVersion, None]:
    """The frozen inventory in its order, some thousands of lines at a time.

    Needs a transaction.
    """
    cursor = conn.cursor(
        """
        SELECT key, version_id, size_bytes FROM inventory_objects
        WHERE destruction_id = $1 AND NOT late ORDER BY key, version_id
        """,
        destruction_id,
        prefetch=_READ_AT_ONCE,
    )
    async for row in cursor:
        yield StoredVersion(*row)


async def drop(conn: Connection, destruction_id: UUID, at_once: int) -> int:
    """Forgets some of an inventory; returns how many lines."""
    count: int = await conn.fetchval(
        """
        WITH first AS (
            SELECT key, version_id FROM inventory_objects WHERE destruction_id = $1 LIMIT $2
        ), gone AS (
            DELETE FROM inventory_objects o USING first f
            WHERE o.destruction_id = $1 AND o.key = f.key AND o.version_id = f.version_id
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        destruction_id,
        at_once,
    )
    return count
