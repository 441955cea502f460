"""Batches of entries of open runs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection, Record


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept of a batch beside its body; new_bytes, packed_bytes: of content that is new."""

    batch: int
    entries: int
    object_key: str
    sha256: bytes
    pack_nos: list[int]
    new_bytes: int
    packed_bytes: int


async def put_batch(
    conn: Connection, tenant_id: UUID, run_id: UUID, batch: Batch, crc32s: bytes, body: bytes
) -> bool:
    """Keeps a batch of an open run, in place of an earlier one; False if the run isn't open."""
    status = await conn.execute(
        """
        INSERT INTO run_batches (run_id, batch, entries, object_key, sha256, pack_nos, crc32s,
            body, new_bytes, packed_bytes) SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM
            (SELECT FROM runs WHERE tenant_id = $1 AND run_id = $2 AND state = 'open' FOR SHARE) r
        ON CONFLICT (run_id, batch) DO UPDATE SET entries = $4, object_key = $5, sha256 = $6,
            pack_nos = $7, crc32s = $8, body = $9, new_bytes = $10, packed_bytes = $11
        """,
        tenant_id,
        run_id,
        batch.batch,
        batch.entries,
        batch.object_key,
        batch.sha256,
        batch.pack_nos,
        crc32s,
        body,
        batch.new_bytes,
        batch.packed_bytes,
    )
    return database.changed(status) == 1


async def list_batches(conn: Connection, run_id: UUID, count: int) -> list[Batch]:
    """Returns the first `count` batches of a run, without their bodies."""
    rows: list[Record] = await conn.fetch(
        """
        SELECT batch, entries, object_key, sha256, pack_nos, new_bytes, packed_bytes
        FROM run_batches
        WHERE run_id = $1 AND batch < $2 ORDER BY batch
        """,
        run_id,
        count,
    )
    return [Batch(**row) for row in rows]


async def read_batch(conn: Connection, run_id: UUID, batch: int) -> tuple[bytes, bytes]:
    """Returns (body, CRC-32s) of a batch that is known to be there."""
    row = await conn.fetchrow(
        """
        SELECT body, crc32s FROM run_batches WHERE run_id = $1 AND batch = $2
        """,
        run_id,
        batch,
    )
    if row is None:
        raise LookupError(f"batch {batch} of run {run_id} went away")
    return row["body"], row["crc32s"]
