"""Whole lists in the bucket: a plan's content at a run, so that older deltas may go one day."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO, NamedTuple

import msgspec

from libs.shared import bucket, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.entries import Entry
from libs.shared.errors import Refusal, Unavailable
from libs.shared.keys import TenantKeys
from libs.shared.passing_files import room_told
from services.ingest import rules, store
from services.ingest.actions.proofs import open_seal
from services.ingest.actions.resources import Resources

_PART_VERSIONS = 5_000
_PART_BYTES = 4 * 1024 * 1024


class _Spooled(NamedTuple):
    """A part in the file: where it ends, and how many versions it has."""

    end: int
    versions: int


async def write_due_lists(resources: Resources) -> int:
    """Writes whole lists of the plans that want one most; returns how many.

    Raises Unavailable where that kept every one of them.
    """
    async with database.acquire(resources.pool) as conn:
        wanted = await store.manifests.due.list_due_lists(
            conn, rules.manifests.history.LIST_ENTRIES, rules.manifests.history.LIST_RUNS
        )
    written = 0
    outage: Unavailable | None = None
    for due in wanted:
        try:
            await write_list(resources, due)
            written += 1
        except Refusal as refusal:
            logs.get().warning("list.unwritten", plan_id=str(due.plan_id), why=refusal.code)
            outage = refusal if isinstance(refusal, Unavailable) else outage
    if outage is not None and not written:
        raise outage
    return written


async def write_list(resources: Resources, due: store.manifests.due.DueList) -> None:
    """From one snapshot to disk, and from there to the bucket; the head comes last."""
    with room_told(), tempfile.TemporaryFile() as file:
        async with (
            database.acquire(resources.pool) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            await store.sessions.allow_long_statements(conn)
            points = await store.manifests.whole.list_points(conn, due.tenant_id, due.plan_id)
            seals = await store.proofs.list_seals(conn, due.tenant_id, due.plan_id)
            content, received, spooled = await _spool(resources, conn, due, file)
        number = points[-1].number
        parts = []
        start = 0
        file.seek(0)
        for place, part in enumerate(spooled):
            body = file.read(part.end - start)
            start = part.end
            sha256 = hashlib.sha256(body).hexdigest()
            key = bucket.key_of_list_part(due.tenant_id, due.plan_id, number, place, sha256)
            keys = await resources.keys.get(due.tenant_id)
            sealed = await resources.in_thread(None, bucket.seal_object, body, keys, key)
            await resources.objects.put(key, sealed)
            parts.append(bucket.StoredPart(key, sha256, part.versions))
    crashpoint("ingest.before_put_list")
    keys = await resources.keys.get(due.tenant_id)
    head = bucket.ListHead(
        tenant_id=due.tenant_id,
        plan_id=due.plan_id,
        number=number,
        versions=content.versions,
        digest=content.digest,
        points=[_with_seal(point, keys, due, seals.get(point.number)) for point in points],
        received=received,
        parts=parts,
    )
    listed = await resources.in_thread(None, bucket.seal_list, head, keys)
    await resources.objects.put(listed.key, listed.body)
    async with database.acquire(resources.pool) as conn:
        await store.manifests.due.mark_listed(conn, due, content.versions)
    logs.get().info("list.written", plan_id=str(due.plan_id), run=number, entries=content.versions)


async def _spool(
    resources: Resources, conn: Connection, due: store.manifests.due.DueList, file: BinaryIO
) -> tuple[rules.manifests.content.Content, dict[int, datetime], list[_Spooled]]:
    content = rules.manifests.content.Content()
    received: dict[int, datetime] = {}
    spooled: list[_Spooled] = []
    folders: list[bucket.ListedFolder] = []
    count = size_bytes = 0
    async for folder, versions in store.manifests.whole.walk_versions(
        conn, due.tenant_id, due.plan_id
    ):
        listed = [version.content for version in versions]
        received |= {version.content.first_run: version.received_at for version in versions}
        folders.append(list_folder(folder, listed))
        count += len(versions)
        size_bytes += len(folder) + sum(
            120 + len(one.chunk_ids) + len(one.attributes) for one in listed
        )
        await resources.in_thread(None, content.add, folder, listed)
        if count >= _PART_VERSIONS or size_bytes >= _PART_BYTES:
            await resources.in_thread(None, _append, file, folders)
            spooled.append(_Spooled(file.tell(), count))
            folders, count, size_bytes = [], 0, 0
    if folders:
        await resources.in_thread(None, _append, file, folders)
        spooled.append(_Spooled(file.tell(), count))
    return content, received, spooled


def _with_seal(
    point: bucket.Point, keys: TenantKeys, due: store.manifests.due.DueList, sealed: bytes | None
) -> bucket.Point:
    found = open_seal(keys, due.tenant_id, due.plan_id, point.number, sealed)
    if found is None:
        return point
    return msgspec.structs.replace(point, root=found.root, chain=found.chain)


def list_folder(
    folder: bytes, versions: Sequence[rules.manifests.content.ListedVersion]
) -> bucket.ListedFolder:
    """Versions in one folder as a part holds them."""
    entries = [
        Entry(*v[:9], v.attributes)  # type: ignore[arg-type]  # checked by the table
        for v in versions
    ]
    return bucket.ListedFolder(
        folder, entries, [v.first_run for v in versions], [v.last_run for v in versions]
    )


def _append(file: BinaryIO, folders: list[bucket.ListedFolder]) -> None:
    file.write(bucket.encode_folders(folders))
