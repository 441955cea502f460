"""What the audit compares; each statement looks at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.catalogue.rows import kept
from libs.shared.database import Connection
from libs.shared.sealing import SealedChunk
from services.retention.store.collection.packs import places_of
from services.retention.store.scrubbing import DuePack
from services.retention.store.sessions import LONG_SECONDS


async def list_pack_rows(
    conn: Connection, tenant_id: UUID, after: bytes, limit: int
) -> list[tuple[bytes, int, str]]:
    """Returns (pack id, bytes, state) of the tenant's packs in the order of their ids."""
    rows = await conn.fetch(
        """
        SELECT pack_id, object_bytes, state FROM catalogue.packs
        WHERE tenant_id = $1 AND pack_id > $2 ORDER BY pack_id LIMIT $3
        """,
        tenant_id,
        after,
        limit,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def find_pack(conn: Connection, tenant_id: UUID, pack_id: bytes) -> DuePack | None:
    """Returns a pack by its id."""
    row = await conn.fetchrow(
        """
        SELECT tenant_id, pack_no, pack_id, object_bytes, stored_at, state FROM catalogue.packs
        WHERE tenant_id = $1 AND pack_id = $2
        """,
        tenant_id,
        pack_id,
    )
    return DuePack(*row) if row else None


async def list_misplaced(
    conn: Connection, tenant_id: UUID, limit: int
) -> list[tuple[bytes, int, bytes | None]]:
    """Returns (chunk, pack number, pack id) of chunks that can't lie where their rows say."""
    rows = await conn.fetch(
        """
        SELECT c.chunk_id, c.pack_no, p.pack_id FROM catalogue.chunks c
        LEFT JOIN catalogue.packs p ON p.tenant_id = $1 AND p.pack_no = c.pack_no
        WHERE c.tenant_id = $1 AND (p.pack_no IS NULL OR c."offset" < 8 OR c.length < 1
        OR c."offset"::bigint + c.length > p.object_bytes OR c.start < 0
        OR c.start + c.size > greatest(c.frame_size, c.size)) ORDER BY c.pack_no LIMIT $2
        """,
        tenant_id,
        limit,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def list_absent_chunks(
    conn: Connection, tenant_id: UUID, limit: int
) -> list[tuple[bytes, int]]:
    """Returns (chunk, files) of chunks that versions need and the tenant doesn't have."""
    rows = await conn.fetch(
        f"""
        SELECT n.chunk_id, count(*) FROM (SELECT split_ids(v.chunk_ids) AS chunk_id
        FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.kind = 'f' AND {kept("v")}) n
        WHERE NOT EXISTS (SELECT FROM catalogue.chunks c WHERE c.tenant_id = $1
        AND c.chunk_id = n.chunk_id) GROUP BY n.chunk_id ORDER BY n.chunk_id LIMIT $2
        """,
        tenant_id,
        limit,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1]) for row in rows]


async def list_needed_condemned(conn: Connection, tenant_id: UUID) -> list[tuple[int, bytes]]:
    """Returns (number, id) of condemned packs with a chunk that some version needs."""
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT p.pack_no, p.pack_id FROM catalogue.packs p
        JOIN catalogue.chunks c ON c.tenant_id = $1 AND c.pack_no = p.pack_no
        WHERE p.tenant_id = $1 AND p.state = 'condemned' AND c.chunk_id IN (
        SELECT split_ids(v.chunk_ids) FROM catalogue.versions v
        WHERE v.tenant_id = $1 AND v.kind = 'f' AND {kept("v")}) ORDER BY 1
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1]) for row in rows]


async def list_wrong_points(
    conn: Connection, tenant_id: UUID
) -> list[tuple[UUID, int, int, int, int, int]]:
    """Returns (plan, run, files and bytes told, files and bytes seen) of newest restore points."""
    rows = await conn.fetch(
        """
        SELECT p.plan_id, r.number, r.files_total, r.bytes_protected, s.files, s.bytes
        FROM catalogue.plans p JOIN catalogue.runs r ON r.tenant_id = $1
        AND r.plan_id = p.plan_id AND r.number = p.last_run
        LEFT JOIN LATERAL (SELECT count(*) AS files, coalesce(sum(v.size), 0)::bigint AS bytes
        FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = p.plan_id
        AND v.last_run IS NULL AND v.kind = 'f') s ON true
        WHERE p.tenant_id = $1 AND (r.files_total, r.bytes_protected) <> (s.files, s.bytes)
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]


async def list_plans(conn: Connection, tenant_id: UUID) -> list[UUID]:
    """Returns the tenant's plans that have a restore point, or had one."""
    rows = await conn.fetch(
        """
        SELECT plan_id FROM catalogue.plans WHERE tenant_id = $1 AND last_run IS NOT NULL
        ORDER BY plan_id
        """,
        tenant_id,
    )
    return [row[0] for row in rows]


async def list_digests(
    conn: Connection, tenant_id: UUID, plan_id: UUID
) -> list[tuple[int, int, bytes]]:
    """Returns (folder, run, hidden digest) of all that was written down of a plan's folders."""
    rows = await conn.fetch(
        """
        SELECT d.folder_id, d.first_run, d.digest FROM catalogue.folders f
        JOIN catalogue.folder_digests d ON d.tenant_id = $1 AND d.folder_id = f.folder_id
        WHERE f.tenant_id = $1 AND f.plan_id = $2 ORDER BY d.folder_id, d.first_run
        """,
        tenant_id,
        plan_id,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def count_old_removals(conn: Connection, tenant_id: UUID, before: datetime) -> int:
    """Returns how many objects should have gone long ago."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM catalogue.removals
        WHERE tenant_id = $1 AND removed_by IS NULL AND asked_at < $2
        """,
        tenant_id,
        before,
    )
    return count


async def list_damaged(conn: Connection, tenant_id: UUID) -> list[tuple[int, bytes]]:
    """Returns (number, id) of damaged packs, which wait for their chunks to come again."""
    rows = await conn.fetch(
        """
        SELECT pack_no, pack_id FROM catalogue.packs
        WHERE tenant_id = $1 AND state = 'damaged' ORDER BY pack_no
        """,
        tenant_id,
    )
    return [(row[0], row[1]) for row in rows]


async def place_chunks(
    conn: Connection, tenant_id: UUID, pack_no: int, chunks: Sequence[SealedChunk]
) -> int:
    """Corrects the places of a pack's chunks by its index; returns how many rows there were."""
    status = await conn.execute(
        """
        UPDATE catalogue.chunks c SET "offset" = n."offset", length = n.length,
            encoding = n.encoding, start = n.start, frame_size = n.frame_size
        FROM unnest($3::bytea[], $4::integer[], $5::integer[], $6::smallint[], $7::integer[],
            $8::integer[]) AS n (chunk_id, "offset", length, encoding, start, frame_size)
        WHERE c.tenant_id = $1 AND c.chunk_id = n.chunk_id AND c.pack_no = $2
        """,
        tenant_id,
        pack_no,
        *places_of(chunks),
    )
    return database.changed(status)


async def remove_homeless_chunks(conn: Connection, tenant_id: UUID) -> int:
    """Deletes chunk rows that name a pack which doesn't exist, so that they are asked for again."""
    status = await conn.execute(
        """
        DELETE FROM catalogue.chunks c WHERE c.tenant_id = $1 AND NOT EXISTS (
        SELECT FROM catalogue.packs p WHERE p.tenant_id = $1 AND p.pack_no = c.pack_no)
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return database.changed(status)
