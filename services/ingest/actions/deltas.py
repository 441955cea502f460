"""A run's delta: batches of entries taken in, and applied to the catalogue at the commit."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from libs.shared import database, entries, logs
from libs.shared.database import Connection
from libs.shared.entries import Entry, EntryRejected, FolderDelta
from libs.shared.errors import InvalidRequest, Unavailable
from services.ingest import rules, store
from services.ingest.actions.ends import runs_prefix, seal_part
from services.ingest.actions.ingest import Ingest
from services.ingest.actions.runs import use_run

MAX_BATCHES = 100_000
_IDS_AT_ONCE = 16_384
_ENTRIES_AT_ONCE = 5_000
_FOLDERS_KNOWN = 100_000
_LOOKS = 10


async def take_batch(
    ingest: Ingest, agent: rules.Agent, run_id: UUID, number: int, body: bytearray
) -> None:
    """Checks one batch of an open run's delta and keeps it; the same number again replaces it."""
    if not 0 <= number < MAX_BATCHES:
        raise InvalidRequest(f"A run has batches 0 to {MAX_BATCHES - 1}.")
    async with database.transaction(ingest.pool) as conn:
        run = await use_run(ingest, conn, agent, run_id)
    async with ingest.deltas:
        deltas, ids = await ingest.in_thread(_unpack, body)
        async with database.acquire(ingest.pool) as conn:
            facts = await _find_facts(conn, agent.tenant_id, ids)
        crc32s = await ingest.in_thread(_check, deltas, facts)
        count = sum(len(delta.upserts) + len(delta.removed) for delta in deltas)
        pack_nos = sorted({fact.pack_no for fact in facts.values()})
        del deltas, ids, facts
    digest = hashlib.sha256(body).digest()
    key = f"{run_prefix(run)}.{number}.{digest[:8].hex()}"
    keys = await ingest.keys.get(agent.tenant_id)
    sealed = await ingest.in_thread(seal_part, body, keys, key)
    await ingest.objects.put(key, sealed)
    batch = store.Batch(number, count, key, digest, pack_nos)
    async with database.transaction(ingest.pool) as conn:
        if not await store.put_batch(conn, agent.tenant_id, run_id, batch, crc32s, bytes(body)):
            closed = await store.find_run(conn, agent.tenant_id, agent.agent_id, run_id)
            assert closed is not None
            raise rules.RunClosed(closed.state, closed.reason_code)
    logs.get().info("batch.taken", run_id=str(run_id), batch=number, entries=count)


def run_prefix(run: rules.Run) -> str:
    """How the keys of all objects of a run's delta begin."""
    return f"{runs_prefix(run.tenant_id, run.plan_id)}{run.number}"


def _unpack(body: bytes | bytearray) -> tuple[list[FolderDelta], list[bytes]]:
    deltas = entries.decode_batch(body)
    entries.check_batch(deltas)
    rules.list_folders(delta.folder for delta in deltas)
    return deltas, rules.list_chunk_ids(deltas)


def _check(deltas: list[FolderDelta], facts: dict[bytes, store.ChunkFacts]) -> bytes:
    crc32s = array("I", rules.check_chunks(deltas, facts))
    crc32s.byteswap()
    return crc32s.tobytes()


async def _find_facts(
    conn: Connection, tenant_id: UUID, ids: Sequence[bytes]
) -> dict[bytes, store.ChunkFacts]:
    facts: dict[bytes, store.ChunkFacts] = {}
    for at in range(0, len(ids), _IDS_AT_ONCE):
        facts.update(await store.find_chunk_facts(conn, tenant_id, ids[at : at + _IDS_AT_ONCE]))
    return facts


async def hold_packs(
    ingest: Ingest, conn: Connection, run: rules.Run, batches: Sequence[store.Batch]
) -> int:
    """Sees to it that no pack which the delta needs goes away; returns bytes stored again.

    Raises ChunksMissing where chunks went away since their batch was taken.
    """
    wanted = sorted({number for batch in batches for number in batch.pack_nos})
    held = await store.hold_packs(conn, run.tenant_id, wanted)
    stale = [batch for batch in batches if not held.trusted.issuperset(batch.pack_nos)]
    locked, resurrected_bytes = held.locked, held.resurrected_bytes
    # Rare: collected or repacked since. What matters is whether the chunks are anywhere, and
    # that where they are now is locked before they were seen there.
    for _ in range(_LOOKS if stale else 0):
        found = await _find_packs(ingest, conn, run, stale)
        if found <= locked:
            break
        held = await store.hold_packs(conn, run.tenant_id, sorted(found - locked))
        locked |= held.locked
        resurrected_bytes += held.resurrected_bytes
    else:
        if stale:
            raise Unavailable("catalogue, whose packs keep moving,")
    return resurrected_bytes


async def _find_packs(
    ingest: Ingest, conn: Connection, run: rules.Run, batches: Sequence[store.Batch]
) -> set[int]:
    """Returns the packs in which these batches' chunks lie now; raises ChunksMissing."""
    missing: set[bytes] = set()
    found: set[int] = set()
    for batch in batches:
        body, _ = await store.read_batch(conn, run.run_id, batch.batch)
        _, ids = await ingest.in_thread(_unpack, body)
        facts = await _find_facts(conn, run.tenant_id, ids)
        missing.update(chunk_id for chunk_id in ids if chunk_id not in facts)
        found.update(fact.pack_no for fact in facts.values())
    if missing:
        raise rules.ChunksMissing(missing)
    return found


class Application:
    """One delta on its way into the catalogue, inside the commit's transaction.

    Counts how many files and bytes the run has more than its parent.
    """

    def __init__(
        self, ingest: Ingest, conn: Connection, run: rules.Run, now: datetime, *, full: bool
    ) -> None:
        self.files = 0
        self.size_bytes = 0
        self._ingest = ingest
        self._conn = conn
        self._now = now
        self._run = run
        self._place = store.Place(run.tenant_id, run.plan_id, run.number)
        self._replaces_all = full and run.parent is not None
        self._known: dict[bytes, int] = {}
        self._touched = array("q")

    async def apply(self, batches: int) -> None:
        """Applies the first so many batches of the run."""
        root = await store.find_folders(self._conn, self._place, [(0, b"")])
        self._known[b""] = root[0, b""]
        if self._replaces_all:
            self._subtract(await store.close_all(self._conn, self._place))
        for batch in range(batches):
            body, crc32s = await store.read_batch(self._conn, self._run.run_id, batch)
            deltas = await self._ingest.in_thread(entries.decode_batch, body)
            await self._apply_batch(deltas, _read_crc32s(crc32s))
        touched = sorted(set(self._touched))
        await self._check_folders(touched)
        await store.put_names_due(self._conn, self._place, touched)

    async def _apply_batch(self, deltas: list[FolderDelta], crc32s: array[int]) -> None:
        await self._resolve([delta.folder for delta in deltas if delta.upserts], create=True)
        if self._run.parent is not None and not self._replaces_all:
            await self._resolve([d.folder for d in deltas if not d.upserts], create=False)
            for folder_ids, names in _removals(deltas, self._known):
                closed = await store.close_removed(self._conn, self._place, folder_ids, names)
                await self._close(closed)
        at = 0
        for folder_ids, upserts in _upserts(deltas, self._known):
            await self._put(folder_ids, upserts, crc32s[at : at + len(upserts)])
            at += len(upserts)
        self._touched.extend(self._known[delta.folder] for delta in deltas if delta.upserts)
        if len(self._known) > _FOLDERS_KNOWN:
            self._known = {b"": self._known[b""]}

    async def _put(
        self, folder_ids: list[int], upserts: list[Entry], crc32s: Sequence[int]
    ) -> None:
        if self._replaces_all:
            self._add(await store.reopen_same(self._conn, self._place, folder_ids, upserts))
        elif self._run.parent is not None:
            await self._close(
                await store.close_replaced(self._conn, self._place, folder_ids, upserts)
            )
        self._add(
            await store.add_versions(
                self._conn, self._place, folder_ids, upserts, crc32s, self._now
            )
        )

    async def _close(self, closed: store.Closed) -> None:
        """Counts what went, and closes what lies below folders that went."""
        self._subtract(closed)
        if closed.folders:
            self._subtract(await store.close_below(self._conn, self._place, closed.folders))

    def _add(self, more: store.Closed) -> None:
        self.files += more.files
        self.size_bytes += more.size_bytes

    def _subtract(self, less: store.Closed) -> None:
        self.files -= less.files
        self.size_bytes -= less.size_bytes

    async def _resolve(self, paths: Iterable[bytes], *, create: bool) -> None:
        """Makes the ids of folders known, level by level; without `create` some stay unknown."""
        level: list[bytes] = []
        depth = -1
        for path in [*rules.list_folders(paths, self._known), b""]:
            here = path.count(b"/") if path else -1
            if here != depth:
                await self._resolve_level(level, create=create)
                level, depth = [], here
            level.append(path)

    async def _resolve_level(self, level: Iterable[bytes], *, create: bool) -> None:
        wanted: dict[tuple[int, bytes], bytes] = {}
        for path in level:
            above, _, name = path.rpartition(b"/")
            parent_id = self._known.get(above)
            if parent_id is not None:
                wanted[parent_id, name] = path
        if not wanted:
            return
        found = await store.find_folders(self._conn, self._place, list(wanted))
        if create and len(found) < len(wanted):
            added = [key for key in wanted if key not in found]
            found |= await store.add_folders(self._conn, self._place, added)
        for key, folder_id in found.items():
            self._known[wanted[key]] = folder_id

    async def _check_folders(self, touched: list[int]) -> None:
        """A folder with contents must be an entry of its parent: else nobody could reach it."""
        for at in range(0, len(touched), _IDS_AT_ONCE):
            orphan = await store.find_orphan(
                self._conn, self._place, touched[at : at + _IDS_AT_ONCE]
            )
            if orphan is not None:
                raise EntryRejected(orphan, "entries lie in it, but the run has no such folder")


def _read_crc32s(packed: bytes) -> array[int]:
    crc32s = array("I", packed)
    crc32s.byteswap()
    return crc32s


def _removals(
    deltas: list[FolderDelta], known: dict[bytes, int]
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Slices of (folder ids, names); folders that were never stored are passed over."""
    folder_ids: list[int] = []
    names: list[bytes] = []
    for delta in deltas:
        folder_id = known.get(delta.folder)
        if folder_id is None or not delta.removed:
            continue
        folder_ids.extend([folder_id] * len(delta.removed))
        names.extend(delta.removed)
        if len(names) >= _ENTRIES_AT_ONCE:
            yield folder_ids, names
            folder_ids, names = [], []
    if names:
        yield folder_ids, names


def _upserts(
    deltas: list[FolderDelta], known: dict[bytes, int]
) -> Iterator[tuple[list[int], list[Entry]]]:
    """Slices of (folder ids, entries), in the delta's order."""
    folder_ids: list[int] = []
    upserts: list[Entry] = []
    for delta in deltas:
        folder_id = known[delta.folder] if delta.upserts else 0
        for at in range(0, len(delta.upserts), _ENTRIES_AT_ONCE):
            part = delta.upserts[at : at + _ENTRIES_AT_ONCE]
            folder_ids.extend([folder_id] * len(part))
            upserts.extend(part)
            if len(upserts) >= _ENTRIES_AT_ONCE:
                yield folder_ids, upserts
                folder_ids, upserts = [], []
    if upserts:
        yield folder_ids, upserts
