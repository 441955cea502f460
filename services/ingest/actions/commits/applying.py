"""A delta applied to the catalogue: at the commit, or when the catalogue is rebuilt."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.shared import batches
from libs.shared.database import Connection
from libs.shared.entries import Entry, EntryFault, EntryRejected, FolderDelta
from libs.shared.proofs import Prover
from services.ingest import rules, store
from services.ingest.actions.proofs import Changes
from services.ingest.actions.resources import Resources

_IDS_AT_ONCE = 16_384
_ENTRIES_AT_ONCE = 5_000
_FOLDERS_KNOWN = 100_000

Delta = tuple[list[FolderDelta], Sequence[int]]
"""Some folders of a delta, and the CRC-32 of each upsert in their order."""


class Application:
    """One delta on its way into the catalogue, inside the commit's transaction.

    Counts how many files and bytes the run has more than its parent, how many files were added,
    and the endings of their names; with `counts` also how many of these are other versions of
    files that were there.
    """

    def __init__(
        self,
        resources: Resources,
        conn: Connection,
        run: rules.runs.Run,
        now: datetime,
        prover: Prover,
        *,
        full: bool,
        counts: bool = False,
    ) -> None:
        self.is_applied = False
        self.files = 0
        self.size_bytes = 0
        self.added = 0
        self.changed = 0
        self.endings: Counter[bytes] = Counter()
        self._changes = Changes(prover)
        self._counts = counts and run.parent is not None
        self._resources = resources
        self._conn = conn
        self._now = now
        self._run = run
        self._place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
        self._replaces_all = full and run.parent is not None
        self._known: dict[bytes, int] = {}
        self._touched = array("q")

    async def drop(self, reduction_ids: Sequence[UUID]) -> None:
        """Closes what was dropped, first of all: the delta names what is there all the same."""
        self.is_applied = True
        self._subtract(await store.reductions.close_dropped(self._conn, self._place, reduction_ids))

    async def apply(self, count: int) -> None:
        """Applies the first so many batches of the open run."""
        await self.apply_parts(self._read(count))

    async def _read(self, count: int) -> AsyncIterator[Delta]:
        for number in range(count):
            body, crc32s = await store.intake.deltas.read_batch(
                self._conn, self._run.run_id, number
            )
            deltas = await self._resources.in_thread(
                self._run.tenant_id, batches.decode_batch, body
            )
            yield deltas, _read_crc32s(crc32s)

    async def apply_parts(self, parts: AsyncIterator[Delta], *, is_whole: bool = True) -> None:
        """Applies the whole delta, part by part.

        is_whole: False where some of it got lost, so that folders may be missing.
        """
        self.is_applied = True
        root = await store.commits.find_folders(self._conn, self._place, [(0, b"")])
        self._known[b""] = root[0, b""]
        if self._replaces_all:
            self._subtract(await store.commits.close_all(self._conn, self._place))
        async for deltas, crc32s in parts:
            await self._apply_batch(deltas, crc32s)
        if self._run.parent is not None:
            await self._changes.subtract_closed(self._conn, self._place)
        await self._changes.settle(self._conn, self._place)
        touched = sorted(set(self._touched))
        if is_whole:
            await self._check_folders(touched)
        await store.names.put_names_due(self._conn, self._place, touched)

    async def apply_list(
        self,
        parts: AsyncIterator[list[tuple[bytes, list[rules.manifests.content.ListedVersion]]]],
        received: Mapping[int, datetime],
        expired_before: int,
    ) -> set[tuple[int, int]]:
        """Adds the versions of a whole list to an empty plan, but what has expired since.

        Returns the (first, last) runs that saw what has expired.
        """
        expired: set[tuple[int, int]] = set()
        root = await store.commits.find_folders(self._conn, self._place, [(0, b"")])
        self._known[b""] = root[0, b""]
        async for folders in parts:
            await self._resolve([folder for folder, _ in folders], create=True)
            folder_ids: list[int] = []
            kept: list[rules.manifests.content.ListedVersion] = []
            for folder, versions in folders:
                for version in versions:
                    if version.last_run is not None and version.last_run < expired_before:
                        expired.add((version.first_run, version.last_run))
                    else:
                        folder_ids.append(self._known[folder])
                        kept.append(version)
            sets = {version.attributes for version in kept if version.attributes}
            if sets:
                await store.commits.put_attribute_sets(
                    self._conn, self._place.tenant_id, sets, self._now
                )
            await store.rebuild.add_listed(self._conn, self._place, folder_ids, kept, received)
        return expired

    async def _apply_batch(self, deltas: list[FolderDelta], crc32s: Sequence[int]) -> None:
        await self._resolve([delta.folder for delta in deltas if delta.upserts], create=True)
        if self._run.parent is not None and not self._replaces_all:
            await self._resolve([d.folder for d in deltas if not d.upserts], create=False)
            for folder_ids, names in _removals(deltas, self._known):
                closed = await store.commits.close_removed(
                    self._conn, self._place, folder_ids, names
                )
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
            self._add(await store.commits.reopen_same(self._conn, self._place, folder_ids, upserts))
        elif self._run.parent is not None:
            await self._close(
                await store.commits.close_replaced(self._conn, self._place, folder_ids, upserts)
            )
        sets = {entry.attributes for entry in upserts if entry.attributes}
        if sets:
            await store.commits.put_attribute_sets(
                self._conn, self._place.tenant_id, sets, self._now
            )
        # While the database is busy: it takes no longer.
        measuring = asyncio.ensure_future(
            self._resources.in_thread(self._run.tenant_id, self._changes.measure, upserts)
        )
        try:
            added, only = await store.commits.add_versions(
                self._conn, self._place, folder_ids, upserts, crc32s, self._now
            )
        finally:
            measures = await measuring
        self._changes.add(folder_ids, upserts, measures, only)
        self._add(added)
        self.added += added.files
        if self._run.parent is not None:
            self.endings.update(rules.commits.find_endings(upserts))
        if self._counts:
            names = [entry.name if entry.kind == "f" else b"" for entry in upserts]
            self.changed += await store.scripts.count_changed(
                self._conn, self._place, folder_ids, names
            )

    async def _close(self, closed: store.commits.Closed) -> None:
        """Counts what went, and closes what lies below folders that went."""
        self._subtract(closed)
        if closed.folders:
            self._subtract(await store.commits.close_below(self._conn, self._place, closed.folders))

    def _add(self, more: store.commits.Closed) -> None:
        self.files += more.files
        self.size_bytes += more.size_bytes

    def _subtract(self, less: store.commits.Closed) -> None:
        self.files -= less.files
        self.size_bytes -= less.size_bytes

    async def _resolve(self, paths: Iterable[bytes], *, create: bool) -> None:
        """Makes the ids of folders known, level by level; without `create` some stay unknown."""
        level: list[bytes] = []
        depth = -1
        for path in [*rules.intake.list_folders(paths, self._known), b""]:
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
        found = await store.commits.find_folders(self._conn, self._place, list(wanted))
        if create and len(found) < len(wanted):
            added = [key for key in wanted if key not in found]
            found |= await store.commits.add_folders(self._conn, self._place, added)
        for key, folder_id in found.items():
            self._known[wanted[key]] = folder_id

    async def _check_folders(self, touched: list[int]) -> None:
        """A folder with contents must be an entry of its parent: else nobody could reach it."""
        for at in range(0, len(touched), _IDS_AT_ONCE):
            orphan = await store.commits.find_orphan(
                self._conn, self._place, touched[at : at + _IDS_AT_ONCE]
            )
            if orphan is not None:
                raise EntryRejected(
                    orphan, EntryFault("entries lie in it, but the run has no such folder")
                )


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
