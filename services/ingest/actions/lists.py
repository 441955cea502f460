"""Whole lists in the bucket: a plan's content at a run, so that older deltas may go one day."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO, NamedTuple

import msgspec
import zstandard

from libs.shared import bucket, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.entries import Entry
from libs.shared.errors import Refusal
from services.ingest import rules, store
from services.ingest.actions.ends import runs_prefix, seal_part
from services.ingest.actions.ingest import Ingest

_PART_VERSIONS = 5_000
_PART_BYTES = 4 * 1024 * 1024
_MAX_PLAIN_BYTES = 256 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bucket.ListedFolder])


class _Spooled(NamedTuple):
    """A part in the file: where it ends, and how many versions it has."""

    end: int
    versions: int


async def write_due_lists(ingest: Ingest) -> int:
    """Writes whole lists of the plans that want one most; returns how many."""
    async with database.acquire(ingest.pool) as conn:
        wanted = await store.list_due_lists(conn, rules.LIST_ENTRIES, rules.LIST_RUNS)
    written = 0
    for due in wanted:
        try:
            await write_list(ingest, due)
            written += 1
        except Refusal as refusal:
            logs.get().warning("list.unwritten", plan_id=str(due.plan_id), why=refusal.code)
    return written


async def write_list(ingest: Ingest, due: store.DueList) -> None:
    """From one snapshot to disk, and from there to the bucket; the head comes last."""
    with tempfile.TemporaryFile() as file:
        async with (
            database.acquire(ingest.pool) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            await store.allow_long_statements(conn)
            points = await store.list_points(conn, due.tenant_id, due.plan_id)
            content, received, spooled = await _spool(ingest, conn, due, file)
        number = points[-1].number
        prefix = f"{runs_prefix(due.tenant_id, due.plan_id)}{number}.list"
        parts = []
        start = 0
        file.seek(0)
        for place, part in enumerate(spooled):
            body = file.read(part.end - start)
            start = part.end
            digest = hashlib.sha256(body).hexdigest()
            key = f"{prefix}.{place}.{digest[:16]}"
            await _put(ingest, due, key, body)
            parts.append(bucket.StoredPart(key, digest, part.versions))
    crashpoint("ingest.before_put_list")
    head = bucket.ListHead(
        tenant_id=due.tenant_id,
        plan_id=due.plan_id,
        number=number,
        versions=content.versions,
        digest=content.digest,
        points=points,
        received=received,
        parts=parts,
    )
    await _put(ingest, due, prefix, msgspec.json.encode(head))
    async with database.acquire(ingest.pool) as conn:
        await store.mark_listed(conn, due, content.versions)
    logs.get().info("list.written", plan_id=str(due.plan_id), run=number, entries=content.versions)


async def _put(ingest: Ingest, due: store.DueList, key: str, plain: bytes) -> None:
    keys = await ingest.keys.get(due.tenant_id)
    await ingest.objects.put(key, await ingest.in_thread(seal_part, plain, keys, key))


async def _spool(
    ingest: Ingest, conn: Connection, due: store.DueList, file: BinaryIO
) -> tuple[rules.Content, dict[int, datetime], list[_Spooled]]:
    content = rules.Content()
    received: dict[int, datetime] = {}
    spooled: list[_Spooled] = []
    folders: list[bucket.ListedFolder] = []
    count = size_bytes = 0
    async for folder, versions in store.walk_versions(conn, due.tenant_id, due.plan_id):
        listed = [version.content for version in versions]
        received |= {version.content.first_run: version.received_at for version in versions}
        folders.append(list_folder(folder, listed))
        count += len(versions)
        size_bytes += len(folder) + sum(120 + len(one.chunk_ids) for one in listed)
        await ingest.in_thread(content.add, folder, listed)
        if count >= _PART_VERSIONS or size_bytes >= _PART_BYTES:
            await ingest.in_thread(_append, file, folders)
            spooled.append(_Spooled(file.tell(), count))
            folders, count, size_bytes = [], 0, 0
    if folders:
        await ingest.in_thread(_append, file, folders)
        spooled.append(_Spooled(file.tell(), count))
    return content, received, spooled


def list_folder(folder: bytes, versions: Sequence[rules.Listed]) -> bucket.ListedFolder:
    """Versions in one folder as a part holds them."""
    entries = [
        Entry(v.name, v.kind, v.mode, v.mtime_ns, v.uid, v.gid, v.size, v.target, v.chunk_ids)  # type: ignore[arg-type]  # checked by the table
        for v in versions
    ]
    return bucket.ListedFolder(
        folder, entries, [v.first_run for v in versions], [v.last_run for v in versions]
    )


def _append(file: BinaryIO, folders: list[bucket.ListedFolder]) -> None:
    file.write(zstandard.ZstdCompressor(level=3).compress(_encoder.encode(folders)))


def read_list_part(body: bytes) -> list[bucket.ListedFolder]:
    """The versions in a part of a whole list; ValueError if it is none."""
    try:
        plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=_MAX_PLAIN_BYTES)
        return _decoder.decode(plain)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error
