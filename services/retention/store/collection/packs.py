"""Collection: marks, and what becomes of packs (docs/decisions/0009 proves why this is safe).

Every change of a tenant's packs locks in this order: the mark, packs by number, chunks by id,
the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.sealing import SealedChunk
from services.retention import rules
from services.retention.store.sessions import LONG_SECONDS


class Mark(NamedTuple):
    """One look at what a tenant needs: which, and the snapshot in which it was taken."""

    tenant_id: UUID
    number: int
    snapshot: str


async def begin_mark(conn: Connection, tenant_id: UUID, now: datetime) -> int:
    """Gives a tenant's next mark its number; what older ones found may not be acted on any more."""
    number: int = await conn.fetchval(
        """
        INSERT INTO marks AS m VALUES ($1, 1, $2) ON CONFLICT (tenant_id)
        DO UPDATE SET number = m.number + 1, marked_at = $2 RETURNING number
        """,
        tenant_id,
        now,
    )
    return number


async def is_newest(conn: Connection, mark: Mark) -> bool:
    """Whether a mark is the tenant's newest; it stays so until the transaction ends."""
    number = await conn.fetchval(
        """
        SELECT number FROM marks WHERE tenant_id = $1 FOR SHARE
        """,
        mark.tenant_id,
    )
    return bool(number == mark.number)


async def read_snapshot(conn: Connection) -> str:
    """Returns what transactions this statement sees; in REPEATABLE READ, all that follow too."""
    snapshot: str = await conn.fetchval("""
        SELECT pg_current_snapshot()::text
        """)
    return snapshot


async def list_usage(
    conn: Connection, tenant_id: UUID, sparse_share: float
) -> list[rules.collection.Usage]:
    """Returns condemned packs, and those of which less than a share is needed by any version.

    One statement, which PostgreSQL carries out with hashes that may spill to its disk: millions
    of versions cost it a minute, us nothing, and block nobody.
    """
    rows = await conn.fetch(
        """
        SELECT p.pack_no, p.pack_id, p.state, p.object_bytes, p.chunk_count, p.stored_at,
               p.condemned_at, coalesce(u.needed, 0)::bigint AS needed_bytes
        FROM catalogue.packs p LEFT JOIN (
            SELECT c.pack_no, sum(c.length) AS needed FROM catalogue.chunks c
            WHERE c.tenant_id = $1 AND c.chunk_id IN (
                SELECT split_ids(v.chunk_ids) FROM catalogue.versions v
                WHERE v.tenant_id = $1 AND v.kind = 'f')
            GROUP BY c.pack_no
        ) u ON u.pack_no = p.pack_no
        WHERE p.tenant_id = $1 AND (p.state = 'condemned'
            OR coalesce(u.needed, 0) < p.object_bytes * $2::double precision)
        ORDER BY p.pack_no
        """,
        tenant_id,
        sparse_share,
        timeout=LONG_SECONDS,
    )
    return [rules.collection.Usage(*row) for row in rows]


async def lock_packs(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], state: str
) -> list[int]:
    """Locks those of the packs that are in this state or, for 'stored', not condemned.

    Passes over what a commit or an upload is using at this moment.
    """
    rows = await conn.fetch(
        """
        SELECT pack_no FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        AND CASE $3::text WHEN 'stored' THEN state <> 'condemned' ELSE state = $3 END
        ORDER BY pack_no FOR UPDATE SKIP LOCKED
        """,
        tenant_id,
        pack_nos,
        state,
    )
    return [row[0] for row in rows]


async def find_held(conn: Connection, mark: Mark, pack_nos: Sequence[int]) -> set[int]:
    """Returns those of the packs that a commit held which the mark didn't see.

    Ask with the packs locked: then no other commit can come in between.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT unnest(pack_nos) FROM catalogue.holds WHERE tenant_id = $1
        AND NOT pg_visible_in_snapshot(held_by, $2::text::pg_snapshot)
        AND pack_nos && $3::bigint[]
        """,
        mark.tenant_id,
        mark.snapshot,
        pack_nos,
    )
    return {row[0] for row in rows}


async def forget_holds(conn: Connection, mark: Mark) -> None:
    """Deletes holds that the newest mark saw: whatever they made reachable, it and later ones see.

    To be called under `is_newest`.
    """
    await conn.execute(
        """
        DELETE FROM catalogue.holds WHERE tenant_id = $1
        AND pg_visible_in_snapshot(held_by, $2::text::pg_snapshot)
        """,
        mark.tenant_id,
        mark.snapshot,
    )


async def condemn_packs(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], now: datetime
) -> int:
    """Condemns packs that are locked; returns the bytes that count no more."""
    freed: int = await conn.fetchval(
        """
        WITH condemned AS (UPDATE catalogue.packs SET state = 'condemned', condemned_at = $3
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) AND state <> 'condemned'
        RETURNING object_bytes)
        SELECT coalesce(sum(object_bytes), 0)::bigint FROM condemned
        """,
        tenant_id,
        pack_nos,
        now,
    )
    return freed


async def resurrect_packs(conn: Connection, tenant_id: UUID, pack_nos: Sequence[int]) -> int:
    """Takes the condemnation of locked packs back; returns the bytes that count again."""
    regained: int = await conn.fetchval(
        """
        WITH resurrected AS (UPDATE catalogue.packs SET condemned_at = NULL,
            state = CASE WHEN damaged_at IS NULL THEN 'live' ELSE 'damaged' END
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) AND state = 'condemned'
        RETURNING object_bytes)
        SELECT coalesce(sum(object_bytes), 0)::bigint FROM resurrected
        """,
        tenant_id,
        pack_nos,
    )
    return regained


async def list_chunks(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], *, needed: bool = False
) -> list[tuple[int, SealedChunk]]:
    """Returns (pack, chunk) of all chunks in packs, or of those that some version needs."""
    only_needed = """AND c.chunk_id IN (
            SELECT split_ids(v.chunk_ids) FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.kind = 'f')"""
    rows = await conn.fetch(
        f"""
        SELECT c.pack_no, c.chunk_id, c."offset", c.length, c.size, c.encoding, c.crc32
        FROM catalogue.chunks c WHERE c.tenant_id = $1 AND c.pack_no = ANY($2::bigint[])
        {only_needed if needed else ""} ORDER BY c.pack_no, c."offset"
        """,
        tenant_id,
        pack_nos,
        timeout=LONG_SECONDS,
    )
    return [(row[0], SealedChunk(*row[1:])) for row in rows]


async def move_chunks(
    conn: Connection,
    tenant_id: UUID,
    chunks: Sequence[SealedChunk],
    sources: Sequence[int],
    pack_no: int,
) -> None:
    """Points chunks that lie in the locked sources to their new place; marks the sources."""
    ordered = sorted(chunks, key=lambda chunk: chunk.chunk_id)
    ids = [chunk.chunk_id for chunk in ordered]
    await conn.execute(
        """
        SELECT FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = ANY($2::bytea[])
        ORDER BY chunk_id FOR UPDATE
        """,
        tenant_id,
        ids,
    )
    await conn.execute(
        """
        UPDATE catalogue.chunks c SET pack_no = $6, "offset" = n."offset", length = n.length
        FROM unnest($2::bytea[], $3::integer[], $4::integer[]) AS n (chunk_id, "offset", length)
        WHERE c.tenant_id = $1 AND c.chunk_id = n.chunk_id AND c.pack_no = ANY($5::bigint[])
        """,
        tenant_id,
        ids,
        [chunk.offset for chunk in ordered],
        [chunk.length for chunk in ordered],
        sources,
        pack_no,
    )
    await conn.execute(
        """
        UPDATE catalogue.packs SET chunks_moved = true
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        sources,
    )
