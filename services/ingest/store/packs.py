"""Packs, chunks and volumes of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.packs import SealedChunk


class Volume(NamedTuple):
    """A tenant's bytes, and the number of their last change."""

    stored_bytes: int
    protected_bytes: int
    sequence: int


class ChunkFacts(NamedTuple):
    """What checking an entry needs to know of a chunk."""

    size: int
    crc32: int
    pack_no: int


async def is_pack_live(conn: Connection, tenant_id: UUID, pack_id: bytes) -> bool:
    """Whether the tenant has this pack, not condemned."""
    return bool(
        await conn.fetchval(
            "SELECT true FROM catalogue.packs"
            " WHERE tenant_id = $1 AND pack_id = $2 AND state = 'live'",
            tenant_id,
            pack_id,
        )
    )


async def put_pack(
    conn: Connection,
    tenant_id: UUID,
    pack_id: bytes,
    object_bytes: int,
    chunk_count: int,
    now: datetime,
) -> int | None:
    """Returns the number of a pack that is new, or was condemned; None if it was live already."""
    number: int | None = await conn.fetchval(
        "INSERT INTO catalogue.packs AS p (tenant_id, pack_id, object_bytes, chunk_count, state,"
        " stored_at, verified_at) VALUES ($1, $2, $3, $4, 'live', $5, $5)"
        " ON CONFLICT (tenant_id, pack_id) DO UPDATE SET state = 'live', condemned_at = NULL,"
        " stored_at = $5, verified_at = $5 WHERE p.state = 'condemned' RETURNING pack_no",
        tenant_id,
        pack_id,
        object_bytes,
        chunk_count,
        now,
    )
    return number


async def add_chunks(
    conn: Connection, tenant_id: UUID, pack_no: int, chunks: Sequence[SealedChunk]
) -> None:
    """Writes down where chunks lie, unless a live pack has them already.

    In the order of their ids, so that two uploads with chunks in common can't block each other.
    """
    ordered = sorted(chunks, key=lambda chunk: chunk.chunk_id)
    await conn.execute(
        "INSERT INTO catalogue.chunks AS c"
        ' (tenant_id, pack_no, chunk_id, "offset", length, size, encoding, crc32)'
        " SELECT $1, $2, * FROM unnest($3::bytea[], $4::integer[], $5::integer[], $6::integer[],"
        " $7::smallint[], $8::bigint[])"
        " ON CONFLICT (tenant_id, chunk_id) DO UPDATE SET pack_no = excluded.pack_no,"
        ' "offset" = excluded."offset", length = excluded.length, size = excluded.size,'
        " encoding = excluded.encoding, crc32 = excluded.crc32"
        " WHERE EXISTS (SELECT FROM catalogue.packs p WHERE p.tenant_id = c.tenant_id"
        " AND p.pack_no = c.pack_no AND p.state = 'condemned')",
        tenant_id,
        pack_no,
        [chunk.chunk_id for chunk in ordered],
        [chunk.offset for chunk in ordered],
        [chunk.length for chunk in ordered],
        [chunk.size for chunk in ordered],
        [chunk.encoding for chunk in ordered],
        [chunk.crc32 for chunk in ordered],
    )


async def find_present(conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]) -> set[bytes]:
    """Returns those of the chunks that lie in a live pack of the tenant."""
    rows = await conn.fetch(
        # A look-up each: a join would read whole tables while the statistics are not yet there.
        "SELECT chunk_id FROM (SELECT k.chunk_id, (SELECT c.pack_no FROM catalogue.chunks c"
        "  WHERE c.tenant_id = $1 AND c.chunk_id = k.chunk_id) AS pack_no"
        "  FROM unnest($2::bytea[]) AS k (chunk_id) OFFSET 0) AS found"
        " WHERE pack_no IS NOT NULL AND pack_no NOT IN (SELECT p.pack_no FROM catalogue.packs p"
        " WHERE p.tenant_id = $1 AND p.state = 'condemned')",
        tenant_id,
        chunk_ids,
    )
    return {row[0] for row in rows}


async def find_chunk_facts(
    conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes]
) -> dict[bytes, ChunkFacts]:
    """Returns what is known of each chunk of the tenant, in whatever pack it lies."""
    rows = await conn.fetch(
        "SELECT chunk_id, size, crc32, pack_no FROM catalogue.chunks"
        " WHERE tenant_id = $1 AND chunk_id = ANY($2::bytea[])",
        tenant_id,
        chunk_ids,
    )
    return {row[0]: ChunkFacts(row[1], row[2], row[3]) for row in rows}


async def hold_packs(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int]
) -> tuple[set[int], int]:
    """Makes condemned packs live again, and keeps all from being condemned until the end.

    Returns (the packs that are there, the bytes that are stored again by this).
    """
    resurrected: int = await conn.fetchval(
        "WITH condemned AS (SELECT pack_no FROM catalogue.packs"
        "  WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[]) AND state = 'condemned'"
        "  ORDER BY pack_no FOR NO KEY UPDATE"
        "), live AS (UPDATE catalogue.packs p SET state = 'live', condemned_at = NULL"
        "  FROM condemned WHERE p.tenant_id = $1 AND p.pack_no = condemned.pack_no"
        "  RETURNING p.object_bytes"
        ") SELECT coalesce(sum(object_bytes), 0)::bigint FROM live",
        tenant_id,
        pack_nos,
    )
    rows = await conn.fetch(
        "SELECT pack_no FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])"
        " ORDER BY pack_no FOR SHARE",
        tenant_id,
        pack_nos,
    )
    return {row[0] for row in rows}, resurrected


async def read_volume(conn: Connection, tenant_id: UUID) -> Volume:
    """Returns a tenant's volume; zeros before the first pack."""
    row = await conn.fetchrow(
        "SELECT stored_bytes, protected_bytes, sequence FROM catalogue.volumes"
        " WHERE tenant_id = $1",
        tenant_id,
    )
    return Volume(*row) if row else Volume(0, 0, 0)


async def change_volume(
    conn: Connection, tenant_id: UUID, stored_bytes: int, protected_bytes: int
) -> Volume:
    """Adds to a tenant's volume and returns the new one; the row stays locked.

    Must be the last lock a transaction takes: all uploads of a tenant meet here.
    """
    change = (
        "UPDATE catalogue.volumes SET stored_bytes = stored_bytes + $2,"
        " protected_bytes = protected_bytes + $3, sequence = sequence + 1"
        " WHERE tenant_id = $1 RETURNING stored_bytes, protected_bytes, sequence"
    )
    row = await conn.fetchrow(change, tenant_id, stored_bytes, protected_bytes)
    if row is None:
        await conn.execute(
            "INSERT INTO catalogue.volumes (tenant_id, stored_bytes, protected_bytes, sequence)"
            " VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING",
            tenant_id,
        )
        row = await conn.fetchrow(change, tenant_id, stored_bytes, protected_bytes)
    assert row is not None
    return Volume(*row)
