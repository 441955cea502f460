"""Packs and chunks of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.catalogue import add_pack
from libs.shared.catalogue.rows import stored
from libs.shared.database import Connection
from libs.shared.sealing import SealedChunk
from services.ingest.store.sessions import LONG_SECONDS


class ChunkFacts(NamedTuple):
    """What is to be known of an entry's chunk; packed: its part of its frame, as it is stored."""

    size: int
    crc32: int
    pack_no: int
    packed: int


class Look(NamedTuple):
    """A pack as it is before its upload: is it there with all its chunks, and seen when.

    has_damage: some pack of its tenant is damaged, be it this one or another.
    """

    is_whole: bool
    has_damage: bool
    snapshot: str


class PutPack(NamedTuple):
    """A pack that is live: did it become so now, and how much more counts from now on."""

    pack_no: int
    is_new: bool
    added_bytes: int


class Held(NamedTuple):
    """Packs that a commit found and keeps; those that gave chunks away are no more than locked.

    discounted: some of these counts no more, until it is needed again.
    """

    locked: set[int]
    trusted: set[int]
    discounted: set[int]
    resurrected_bytes: int


async def has_chunks(conn: Connection, tenant_id: UUID) -> bool:
    """Says whether the tenant has any chunk at all, be its pack wanted still or not."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM catalogue.chunks WHERE tenant_id = $1)
        """,
        tenant_id,
    )
    return found


async def look_at(conn: Connection, tenant_id: UUID, pack_id: bytes) -> Look:
    """Says whether an upload would add anything: a live pack may lack chunks that others had."""
    row = await conn.fetchrow(
        """
        SELECT coalesce((SELECT p.state = 'live' AND p.chunk_count = (SELECT count(*)
        FROM catalogue.chunks c WHERE c.tenant_id = $1 AND c.pack_no = p.pack_no)
        FROM catalogue.packs p WHERE p.tenant_id = $1 AND p.pack_id = $2), false),
            EXISTS (SELECT FROM catalogue.packs WHERE tenant_id = $1 AND state = 'damaged'),
            pg_current_snapshot()::text
        """,
        tenant_id,
        pack_id,
    )
    assert row is not None
    return Look(*row)


async def put(
    conn: Connection,
    tenant_id: UUID,
    pack_id: bytes,
    object_bytes: int,
    chunk_count: int,
    now: datetime,
) -> PutPack:
    """Makes a pack that was stored live: a new one, or one that was condemned or damaged."""
    while True:
        number = await add_pack(conn, tenant_id, pack_id, object_bytes, chunk_count, now)
        if number is not None:
            return PutPack(number, True, object_bytes)
        known = await conn.fetchrow(
            """
            SELECT pack_no, state, object_bytes, dropped_bytes FROM catalogue.packs
            WHERE tenant_id = $1 AND pack_id = $2 FOR NO KEY UPDATE
            """,
            tenant_id,
            pack_id,
        )
        if known is not None:  # else it was deleted this very moment
            break
    counted = 0
    if known["state"] != "condemned":
        counted = known["object_bytes"] - known["dropped_bytes"]
    if known["state"] != "live":
        await _forget_discounts(conn, tenant_id, known["pack_no"])
        await conn.execute(
            """
            UPDATE catalogue.packs SET state = 'live', condemned_at = NULL, damaged_at = NULL,
                object_bytes = $3, dropped_bytes = 0, stored_at = $4, verified_at = $4
            WHERE tenant_id = $1 AND pack_no = $2
            """,
            tenant_id,
            known["pack_no"],
            object_bytes,
            now,
        )
        return PutPack(known["pack_no"], True, object_bytes - counted)
    return PutPack(known["pack_no"], False, 0)


async def _forget_discounts(conn: Connection, tenant_id: UUID, pack_no: int) -> None:
    await conn.execute(
        """
        DELETE FROM catalogue.discounts WHERE tenant_id = $1 AND pack_no = $2
        """,
        tenant_id,
        pack_no,
    )


async def add_chunks(
    conn: Connection, tenant_id: UUID, pack_no: int, chunks: Sequence[SealedChunk]
) -> None:
    """Writes down where chunks lie, unless another live pack has them already.

    In the order of their ids, so that two uploads with chunks in common can't block each other.
    """
    ordered = sorted(chunks, key=lambda chunk: chunk.chunk_id)
    chunk_ids = [chunk.chunk_id for chunk in ordered]
    left = await _leave_packs(conn, tenant_id, pack_no, chunk_ids)
    await conn.execute(
        """
        INSERT INTO catalogue.chunks AS c
            (tenant_id, pack_no, chunk_id, "offset", length, size, encoding, crc32, start,
            frame_size)
        SELECT $1, $2, * FROM unnest($3::bytea[], $4::integer[], $5::integer[], $6::integer[],
            $7::smallint[], $8::bigint[], $9::integer[], $10::integer[])
        ON CONFLICT (tenant_id, chunk_id) DO UPDATE SET pack_no = excluded.pack_no,
            "offset" = excluded."offset", length = excluded.length, size = excluded.size,
            encoding = excluded.encoding, crc32 = excluded.crc32, start = excluded.start,
            frame_size = excluded.frame_size
        WHERE c.pack_no = ANY($11::bigint[])
        """,
        tenant_id,
        pack_no,
        chunk_ids,
        [chunk.offset for chunk in ordered],
        [chunk.length for chunk in ordered],
        [chunk.size for chunk in ordered],
        [chunk.encoding for chunk in ordered],
        [chunk.crc32 for chunk in ordered],
        [chunk.start for chunk in ordered],
        [chunk.frame_size for chunk in ordered],
        [pack_no, *left],  # its own as well: damage may be that of a row
    )


async def _leave_packs(
    conn: Connection, tenant_id: UUID, pack_no: int, chunk_ids: Sequence[bytes]
) -> list[int]:
    """Locks and marks the condemned and damaged packs that are about to lose some of the chunks.

    One that somebody holds keeps its chunks: waiting would be worse than storing them twice.
    """
    unusable = await conn.fetchval(
        """
        SELECT array_agg(pack_no) FROM catalogue.packs
        WHERE tenant_id = $1 AND state <> 'live' AND pack_no <> $2
        """,
        tenant_id,
        pack_no,
    )
    if not unusable:
        return []
    rows = await conn.fetch(
        """
        WITH concerned AS (SELECT p.pack_no FROM catalogue.packs p WHERE p.tenant_id = $1
        AND p.state <> 'live' AND p.pack_no IN (SELECT c.pack_no FROM catalogue.chunks c
        WHERE c.tenant_id = $1 AND c.pack_no = ANY($2::bigint[])
        AND c.chunk_id = ANY($3::bytea[]))
        ORDER BY p.pack_no FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE catalogue.packs p SET chunks_moved = true FROM concerned
        WHERE p.tenant_id = $1 AND p.pack_no = concerned.pack_no RETURNING p.pack_no
        """,
        tenant_id,
        unusable,
        chunk_ids,
    )
    return [row[0] for row in rows]


async def find_present(conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]) -> set[bytes]:
    """Returns those of the chunks that lie in a live pack of the tenant."""
    rows = await conn.fetch(
        # A look-up each: a join would read whole tables while the statistics are not yet there.
        """
        SELECT chunk_id FROM (SELECT k.chunk_id, (SELECT c.pack_no FROM catalogue.chunks c
        WHERE c.tenant_id = $1 AND c.chunk_id = k.chunk_id) AS pack_no
        FROM unnest($2::bytea[]) AS k (chunk_id) OFFSET 0) AS found
        WHERE pack_no IS NOT NULL AND pack_no NOT IN (SELECT p.pack_no FROM catalogue.packs p
        WHERE p.tenant_id = $1 AND p.state <> 'live')
        """,
        tenant_id,
        chunk_ids,
    )
    return {row[0] for row in rows}


async def find_damaged(conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]) -> set[bytes]:
    """Returns those of the chunks that lie in a damaged pack of the tenant."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key (docs/decisions/0018).
        """
        SELECT k.chunk_id FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL (
        SELECT c.pack_no FROM catalogue.chunks c
        WHERE c.tenant_id = $1 AND c.chunk_id = k.chunk_id LIMIT 1) f
        WHERE f.pack_no IN (SELECT p.pack_no FROM catalogue.packs p
        WHERE p.tenant_id = $1 AND p.state = 'damaged')
        """,
        tenant_id,
        chunk_ids,
    )
    return {row[0] for row in rows}


async def list_damaged_chunks(
    conn: Connection, tenant_id: UUID, start: bytes, limit: int
) -> list[bytes]:
    """Returns chunks that lie in damaged packs, from one id on and round to those before it.

    Nobody may have the first ones any more: with another `start` each time all get their turn.
    """
    rows = await conn.fetch(
        """
        SELECT c.chunk_id FROM catalogue.packs p JOIN catalogue.chunks c
        ON c.tenant_id = p.tenant_id AND c.pack_no = p.pack_no
        WHERE p.tenant_id = $1 AND p.state = 'damaged'
        ORDER BY c.chunk_id < $2, c.chunk_id LIMIT $3
        """,
        tenant_id,
        start,
        limit,
    )
    return [row[0] for row in rows]


async def find_chunk_facts(
    conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]
) -> dict[bytes, ChunkFacts]:
    """Returns what is known of each chunk of the tenant, in whatever pack it lies."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key (docs/decisions/0018).
        f"""
        SELECT k.chunk_id, f.* FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL (
        SELECT c.size, c.crc32, c.pack_no, {stored("c")} FROM catalogue.chunks c
        WHERE c.tenant_id = $1 AND c.chunk_id = k.chunk_id LIMIT 1) f
        """,
        tenant_id,
        chunk_ids,
    )
    return {row[0]: ChunkFacts(*row[1:]) for row in rows}


async def find_new(
    conn: Connection, tenant_id: UUID, plan_id: UUID, parent: int | None, pack_nos: Sequence[int]
) -> set[int]:
    """Returns those of the packs that were stored since a restore point; without one, all."""
    rows = await conn.fetch(
        """
        SELECT pack_no FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = ANY($4::bigint[])
        AND stored_at >= coalesce((SELECT committed_at FROM catalogue.runs
            WHERE tenant_id = $1 AND plan_id = $2 AND number = $3), '-infinity')
        """,
        tenant_id,
        plan_id,
        parent,
        pack_nos,
    )
    return {row[0] for row in rows}


async def hold(conn: Connection, tenant_id: UUID, pack_nos: Sequence[int]) -> Held:
    """Makes condemned packs live again, and keeps all from being condemned or emptied.

    A pack is trusted where all the chunks that it ever had still lie in it. The hold is written
    down: a mark that did not see what this transaction adds must not condemn these packs.
    """
    resurrected_bytes = 0
    while True:
        resurrected_bytes += await conn.fetchval(
            """
            WITH uncounted AS (SELECT pack_no FROM catalogue.packs
            WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
            AND (state = 'condemned' OR dropped_bytes > 0) ORDER BY pack_no FOR NO KEY UPDATE
                ), live AS (UPDATE catalogue.packs p SET condemned_at = NULL,
                state = CASE WHEN damaged_at IS NULL THEN 'live' ELSE 'damaged' END
            FROM uncounted WHERE p.tenant_id = $1 AND p.pack_no = uncounted.pack_no
            AND p.state = 'condemned' RETURNING p.object_bytes
                ) SELECT coalesce(sum(object_bytes), 0)::bigint FROM live
            """,
            tenant_id,
            pack_nos,
            timeout=LONG_SECONDS,
        )
        rows = await conn.fetch(
            """
            SELECT pack_no, state, chunks_moved, dropped_bytes FROM catalogue.packs
            WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) ORDER BY pack_no FOR SHARE
            """,
            tenant_id,
            pack_nos,
            timeout=LONG_SECONDS,
        )
        if all(row["state"] != "condemned" for row in rows):  # or condemned between the two
            break
    if rows:
        await conn.execute(
            """
            INSERT INTO catalogue.holds (tenant_id, pack_nos) VALUES ($1, $2)
            """,
            tenant_id,
            [row["pack_no"] for row in rows],
        )
    return Held(
        {row["pack_no"] for row in rows},
        {row["pack_no"] for row in rows if not row["chunks_moved"]},
        {row["pack_no"] for row in rows if row["dropped_bytes"]},
        resurrected_bytes,
    )


async def lift_discounts(conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]) -> int:
    """Counts chunks again that only dropped versions needed; returns their bytes.

    To be called with their packs held.
    """
    lifted: int = await conn.fetchval(
        """
        WITH lifted AS (DELETE FROM catalogue.discounts
        WHERE tenant_id = $1 AND chunk_id = ANY($2::bytea[]) RETURNING pack_no, length
            ), summed AS (SELECT pack_no, sum(length) AS bytes FROM lifted GROUP BY pack_no
            ), counted AS (UPDATE catalogue.packs p SET dropped_bytes = dropped_bytes - s.bytes
        FROM summed s WHERE p.tenant_id = $1 AND p.pack_no = s.pack_no RETURNING s.bytes
            ) SELECT coalesce(sum(bytes), 0)::bigint FROM counted
        """,
        tenant_id,
        chunk_ids,
    )
    return lifted
