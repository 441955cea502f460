"""Files that a script put into its run, bundled into batches as an agent would have sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from libs.shared import batches
from libs.shared.database import Connection
from libs.shared.entries import Entry, FolderDelta, split_ids
from libs.shared.errors import Conflict
from services.ingest import rules, store
from services.ingest.actions.intake.deltas import take_batch
from services.ingest.actions.resources import Resources

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def bundle_files(
    resources: Resources, agent: rules.agents.Agent, run: rules.runs.Run
) -> tuple[int, store.scripts.Mark]:
    """Writes all files of an open run as its batches; returns how many, and which files they hold.

    Equal files make equal batches, so that a commit that was cut off can be repeated.
    Raises FilesMissing where what a file consists of went away since it was put.
    """
    after = b""
    batches = 0
    mark = store.scripts.Mark(0, 0, 0)
    while True:
        async with resources.acquire(agent.tenant_id) as conn:
            page = await store.scripts.list_files(conn, run.run_id, after)
            folders = await _find_kept(conn, run, [put.path for put in page if put.kind == "d"])
        if not page:
            return batches, mark
        body = await resources.in_thread(agent.tenant_id, _encode, page, folders, run.started_at)
        try:
            await take_batch(resources, agent, run.run_id, batches, bytearray(body))
        except rules.refusals.ChunkUnknown as error:
            lost = set(error.chunk_ids)
            raise rules.refusals.FilesMissing(
                put.path for put in page if not lost.isdisjoint(split_ids(put.chunk_ids))
            ) from error
        after = page[-1].path
        batches += 1
        mark = store.scripts.Mark(
            mark.entries + len(page),
            max(mark.last_put, *(put.put_no for put in page)),
            mark.size_bytes + sum(put.size for put in page),
        )


async def check_bundled(conn: Connection, run: rules.runs.Run, mark: store.scripts.Mark) -> None:
    """Sees to it that the batches hold every file, and that none is put until the commit's end."""
    if await store.scripts.lock_files(conn, run.tenant_id, run.run_id) != mark:
        raise Conflict("A file was put into the run during its commit; commit again.")


async def _find_kept(
    conn: Connection, run: rules.runs.Run, paths: Iterable[bytes]
) -> dict[bytes, Entry]:
    """The folders among these that the plan has, as they are: a script says nothing of them."""
    if run.parent is None:
        return {}
    place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
    root = await store.commits.find_folders(conn, place, [(0, b"")])
    ids = {b"": root[0, b""]}
    levels: defaultdict[int, list[bytes]] = defaultdict(list)
    for path in rules.intake.list_folders(paths):
        levels[path.count(b"/")].append(path)
    kept: dict[bytes, Entry] = {}
    for _, level in sorted(levels.items()):
        keys = {}
        for path in level:
            above, _, name = path.rpartition(b"/")
            if above in ids:
                keys[ids[above], name] = path
        for key, found in (await store.scripts.find_kept_folders(conn, place, list(keys))).items():
            ids[keys[key]] = found.folder_id
            if found.entry is not None:
                kept[keys[key]] = found.entry
    return kept


def _encode(
    page: list[store.scripts.PutFile], kept: dict[bytes, Entry], started_at: datetime
) -> bytes:
    started_ns = (started_at - _EPOCH) // timedelta(microseconds=1) * 1000
    upserts: defaultdict[bytes, list[Entry]] = defaultdict(list)
    for put in page:
        entry = Entry(
            put.name, put.kind, put.mode, put.mtime_ns, 0, 0, put.size, b"", put.chunk_ids
        )
        if put.kind == "d":
            entry = kept.get(put.path) or Entry(
                put.name, "d", rules.scripts.FOLDER_MODE, started_ns, 0, 0, 0, b"", b""
            )
        upserts[put.folder].append(entry)
    return batches.encode_batch([FolderDelta(folder, put, []) for folder, put in upserts.items()])
