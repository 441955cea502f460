"""Packs that go: their rows first, then their objects, and what uploads must know of it between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection


async def remove_packs(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], now: datetime
) -> list[bytes]:
    """Deletes the rows of locked packs and their chunks, and writes down that their objects go."""
    rows = await conn.fetch(
        """
        DELETE FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        RETURNING pack_id
        """,
        tenant_id,
        pack_nos,
    )
    await conn.execute(
        """
        WITH gone AS (SELECT chunk_id FROM catalogue.chunks
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) ORDER BY chunk_id FOR UPDATE)
        DELETE FROM catalogue.chunks c USING gone
        WHERE c.tenant_id = $1 AND c.chunk_id = gone.chunk_id AND c.pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        pack_nos,
    )
    pack_ids = [row[0] for row in rows]
    await _add_removals(conn, tenant_id, pack_ids, now)
    return pack_ids


async def find_known(conn: Connection, tenant_id: UUID, pack_ids: Sequence[bytes]) -> set[bytes]:
    """Returns those of the packs that have a row."""
    rows = await conn.fetch(
        """
        SELECT pack_id FROM catalogue.packs WHERE tenant_id = $1 AND pack_id = ANY($2::bytea[])
        """,
        tenant_id,
        pack_ids,
    )
    return {row[0] for row in rows}


async def claim_strays(
    conn: Connection, tenant_id: UUID, pack_ids: Sequence[bytes], now: datetime
) -> list[bytes]:
    """Returns those packs that have no row, after writing down that their objects go.

    The row that is added and taken away again makes an upload that is writing its own wait for
    us, or us for it: one of the two sees the other.
    """
    rows = await conn.fetch(
        """
        INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,
            verified_at) SELECT $1, pack_id, 1, 0, $3, $3 FROM unnest($2::bytea[]) AS t (pack_id)
        ON CONFLICT DO NOTHING RETURNING pack_no
        """,
        tenant_id,
        sorted(pack_ids),
        now,
    )
    return await remove_packs(conn, tenant_id, [row[0] for row in rows], now)


async def _add_removals(
    conn: Connection, tenant_id: UUID, pack_ids: Sequence[bytes], now: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO catalogue.removals (tenant_id, pack_id, asked_at)
        SELECT $1, pack_id, $3 FROM unnest($2::bytea[]) AS t (pack_id)
        ON CONFLICT (tenant_id, pack_id)
        DO UPDATE SET asked_at = $3, removed_by = NULL, removed_at = NULL
        """,
        tenant_id,
        pack_ids,
        now,
    )


async def list_removals(conn: Connection, tenant_id: UUID, limit: int) -> list[bytes]:
    """Returns packs whose objects have to go, the first asked first."""
    rows = await conn.fetch(
        """
        SELECT pack_id FROM catalogue.removals WHERE tenant_id = $1 AND removed_by IS NULL
        ORDER BY asked_at, pack_id LIMIT $2
        """,
        tenant_id,
        limit,
    )
    return [row[0] for row in rows]


async def end_removals(
    conn: Connection, tenant_id: UUID, pack_ids: Sequence[bytes], now: datetime
) -> None:
    """Writes down that objects are gone: uploads that begin from now on count."""
    await conn.execute(
        """
        UPDATE catalogue.removals SET removed_by = pg_current_xact_id(), removed_at = $3
        WHERE tenant_id = $1 AND pack_id = ANY($2::bytea[]) AND removed_by IS NULL
        """,
        tenant_id,
        pack_ids,
        now,
    )


async def forget_removals(conn: Connection, tenant_id: UUID, before: datetime) -> None:
    """Forgets removals that ended so long ago that no upload can have begun before."""
    await conn.execute(
        """
        DELETE FROM catalogue.removals WHERE tenant_id = $1 AND removed_at < $2
        """,
        tenant_id,
        before,
    )
