"""What becomes of packs.

Every change of a tenant's packs locks in this order: the mark, packs by number, chunks by id,
the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.catalogue.rows import kept, stored
from libs.shared.database import Connection
from libs.shared.sealing import SealedChunk
from services.retention import rules
from services.retention.store.sessions import LONG_SECONDS

_NEEDED = f"""SELECT split_ids(v.chunk_ids) AS id FROM catalogue.versions v
                WHERE v.tenant_id = $1 AND v.kind = 'f' AND {kept("v")}"""
_STORED = stored("c")


class Dropped(NamedTuple):
    """What of a pack only dropped versions need, and how much of it can be taken back."""

    dropped_bytes: int
    undoable_bytes: int


async def list_dropped(conn: Connection, tenant_id: UUID) -> dict[int, Dropped]:
    """Returns what of each pack only dropped versions need; nothing where nothing was dropped.

    What counts no more stays so when those versions are forgotten, until its pack is repacked.
    """
    if not await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM catalogue.dropped WHERE tenant_id = $1)
            OR EXISTS (SELECT FROM catalogue.discounts WHERE tenant_id = $1)
        """,
        tenant_id,
    ):
        return {}
    rows = await conn.fetch(
        f"""
        SELECT c.pack_no, sum({_STORED})::bigint,
            coalesce(sum({_STORED}) FILTER (WHERE d.is_undoable), 0)::bigint
        FROM (SELECT id, bool_or(is_undoable) AS is_undoable FROM (
            SELECT split_ids(v.chunk_ids) AS id, r.state = 'applied' AS is_undoable
            FROM catalogue.reductions r JOIN catalogue.dropped x USING (tenant_id, reduction_id)
            JOIN catalogue.versions v ON v.tenant_id = $1 AND v.folder_id = x.folder_id
            AND (v.first_run <= x.begun_by OR v.last_run <= x.ended_by)
            WHERE r.tenant_id = $1 AND v.kind = 'f'
            UNION ALL
            SELECT chunk_id, false FROM catalogue.discounts WHERE tenant_id = $1) s GROUP BY id
        ) d JOIN catalogue.chunks c ON c.tenant_id = $1 AND c.chunk_id = d.id
        WHERE NOT EXISTS (SELECT FROM ({_NEEDED}) n WHERE n.id = d.id)
        GROUP BY c.pack_no
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return {row[0]: Dropped(row[1], row[2]) for row in rows}


async def list_dropped_chunks(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int]
) -> list[tuple[int, bytes, int]]:
    """Returns (pack, chunk, bytes) of what of these packs only dropped versions need."""
    rows = await conn.fetch(
        f"""
        SELECT c.pack_no, c.chunk_id, {_STORED} FROM catalogue.chunks c
        WHERE c.tenant_id = $1 AND c.pack_no = ANY($2::bigint[])
        AND c.chunk_id IN (SELECT split_ids(v.chunk_ids) FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.kind = 'f' AND NOT {kept("v")}
            UNION ALL SELECT chunk_id FROM catalogue.discounts WHERE tenant_id = $1)
        AND NOT EXISTS (SELECT FROM ({_NEEDED}) n WHERE n.id = c.chunk_id)
        """,
        tenant_id,
        pack_nos,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def list_usage(
    conn: Connection, tenant_id: UUID, sparse_share: float
) -> list[rules.collection.Usage]:
    """Returns condemned packs, those of which less than a share is needed by any version, and
    those of which a reduction dropped some.

    One statement, which PostgreSQL carries out with hashes that may spill to its disk: millions
    of versions cost it a minute, us nothing, and block nobody.
    """
    dropped = await list_dropped(conn, tenant_id)
    rows = await conn.fetch(
        f"""
        SELECT p.pack_no, p.pack_id, p.state, p.object_bytes, p.chunk_count, p.stored_at,
               p.condemned_at, coalesce(u.needed, 0)::bigint AS needed_bytes, p.dropped_bytes
        FROM catalogue.packs p LEFT JOIN (
            SELECT c.pack_no, sum({_STORED}) AS needed FROM catalogue.chunks c
            WHERE c.tenant_id = $1 AND c.chunk_id IN ({_NEEDED})
            GROUP BY c.pack_no
        ) u ON u.pack_no = p.pack_no
        WHERE p.tenant_id = $1 AND (p.state = 'condemned' OR p.dropped_bytes > 0
            OR p.pack_no = ANY($3::bigint[])
            OR coalesce(u.needed, 0) < p.object_bytes * $2::double precision)
        ORDER BY p.pack_no
        """,
        tenant_id,
        sparse_share,
        list(dropped),
        timeout=LONG_SECONDS,
    )
    nothing = Dropped(0, 0)
    return [
        rules.collection.Usage(*row, **dropped.get(row["pack_no"], nothing)._asdict())
        for row in rows
    ]


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


async def condemn_packs(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], now: datetime
) -> int:
    """Condemns packs that are locked; returns the bytes that count no more."""
    await forget_discounts(conn, tenant_id, pack_nos)
    freed: int = await conn.fetchval(
        """
        WITH counted AS (SELECT pack_no, object_bytes - dropped_bytes AS bytes
        FROM catalogue.packs
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) AND state <> 'condemned'
            ), condemned AS (UPDATE catalogue.packs p SET state = 'condemned', condemned_at = $3,
            dropped_bytes = 0 FROM counted
        WHERE p.tenant_id = $1 AND p.pack_no = counted.pack_no RETURNING counted.bytes)
        SELECT coalesce(sum(bytes), 0)::bigint FROM condemned
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


async def discount_packs(
    conn: Connection,
    tenant_id: UUID,
    pack_nos: Sequence[int],
    dropped: Sequence[tuple[int, bytes, int]],
) -> int:
    """Writes down what of packs that are locked counts no more; returns by how much that grew.

    dropped: (pack, chunk, bytes) of all that of these.
    """
    await forget_discounts(conn, tenant_id, pack_nos)
    freed: int = await conn.fetchval(
        """
        WITH added AS (INSERT INTO catalogue.discounts (tenant_id, pack_no, chunk_id, length)
        SELECT $1, * FROM unnest($3::bigint[], $4::bytea[], $5::integer[])
        ON CONFLICT DO NOTHING RETURNING pack_no, length
            ), summed AS (SELECT pack_no, coalesce(sum(length), 0) AS bytes
        FROM unnest($2::bigint[]) AS t (pack_no) LEFT JOIN added USING (pack_no) GROUP BY pack_no
            ), counted AS (SELECT pack_no, bytes, bytes - p.dropped_bytes AS more
        FROM summed JOIN catalogue.packs p USING (pack_no) WHERE p.tenant_id = $1
            ), changed AS (UPDATE catalogue.packs p SET dropped_bytes = counted.bytes FROM counted
        WHERE p.tenant_id = $1 AND p.pack_no = counted.pack_no RETURNING counted.more)
        SELECT coalesce(sum(more), 0)::bigint FROM changed
        """,
        tenant_id,
        pack_nos,
        [one[0] for one in dropped],
        [one[1] for one in dropped],
        [one[2] for one in dropped],
    )
    return freed


async def forget_discounts(conn: Connection, tenant_id: UUID, pack_nos: Sequence[int]) -> None:
    """Forgets which chunks of locked packs count no more."""
    await conn.execute(
        """
        DELETE FROM catalogue.discounts WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        pack_nos,
    )


async def list_chunks(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], *, needed: bool = False
) -> list[tuple[int, SealedChunk]]:
    """Returns (pack, chunk) of all chunks in packs, or of those that some version needs."""
    only_needed = f"AND c.chunk_id IN ({_NEEDED})"
    rows = await conn.fetch(
        f"""
        SELECT c.pack_no, c.chunk_id, c."offset", c.length, c.size, c.encoding, c.crc32, c.start,
            c.frame_size
        FROM catalogue.chunks c WHERE c.tenant_id = $1 AND c.pack_no = ANY($2::bigint[])
        {only_needed if needed else ""} ORDER BY c.pack_no, c."offset", c.start
        """,
        tenant_id,
        pack_nos,
        timeout=LONG_SECONDS,
    )
    return [(row[0], SealedChunk(*row[1:])) for row in rows]


def places_of(chunks: Sequence[SealedChunk]) -> tuple[list[bytes | int], ...]:
    """Chunk ids, offsets, lengths, encodings, starts and sizes of frames, as arrays for SQL."""
    return (
        [chunk.chunk_id for chunk in chunks],
        [chunk.offset for chunk in chunks],
        [chunk.length for chunk in chunks],
        [chunk.encoding for chunk in chunks],
        [chunk.start for chunk in chunks],
        [chunk.frame_size for chunk in chunks],
    )


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
        UPDATE catalogue.chunks c SET pack_no = $3, "offset" = n."offset", length = n.length,
            encoding = n.encoding, start = n.start, frame_size = n.frame_size
        FROM unnest($4::bytea[], $5::integer[], $6::integer[], $7::smallint[], $8::integer[],
            $9::integer[]) AS n (chunk_id, "offset", length, encoding, start, frame_size)
        WHERE c.tenant_id = $1 AND c.chunk_id = n.chunk_id AND c.pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        sources,
        pack_no,
        *places_of(ordered),
    )
    await conn.execute(
        """
        UPDATE catalogue.packs SET chunks_moved = true
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        sources,
    )
