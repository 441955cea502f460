"""What of a manifest can be brought back: pure decisions of a rebuild."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from libs.shared.bucket import ListedFolder
from libs.shared.entries import Entry, EntryRejected, FolderDelta, split_ids
from services.ingest.rules.intake import combine_crc32s
from services.ingest.rules.manifests.content import ListedVersion

Facts = Mapping[bytes, tuple[int, int, int, int]]


class Gone:
    """Versions whose chunks are nowhere, and the runs that saw them."""

    def __init__(self) -> None:
        self.count = 0
        self.spans: list[tuple[int, int]] = []
        self._current: dict[bytes, int] = {}

    @property
    def current(self) -> list[bytes]:
        """Paths whose newest version is gone."""
        return sorted(self._current)

    def add(self, path: bytes, first_run: int, last_run: int | None) -> None:
        """Counts a version that can't be brought back."""
        self.count += 1
        if last_run is None:
            self._current[path] = first_run
        else:
            self.spans.append((first_run, last_run))

    def supersede(self, run: int, deltas: Iterable[FolderDelta]) -> None:
        """Notes what a run replaced or removed."""
        if not self._current:
            return
        for delta in deltas:
            for name in delta.removed:
                self._end(run, _join(delta.folder, name), below=True)
            for entry in delta.upserts:
                self._end(run, _join(delta.folder, entry.name), below=entry.kind != "d")

    def supersede_all(self, run: int) -> None:
        """Notes that a run named the whole tree anew."""
        for first_run in self._current.values():
            self.spans.append((first_run, run - 1))
        self._current.clear()

    def _end(self, run: int, path: bytes, *, below: bool) -> None:
        ended = [path] if path in self._current else []
        if below:
            ended += [other for other in self._current if other.startswith(path + b"/")]
        for other in ended:
            self.spans.append((self._current.pop(other), run - 1))

    def is_seen_by(self, run: int) -> bool:
        """Whether a restore point lacks one of them."""
        return any(first <= run <= last for first, last in self.spans) or any(
            first <= run for first in self._current.values()
        )


def settle_delta(
    deltas: Iterable[FolderDelta], facts: Facts, mask: Callable[[bytes, int], int]
) -> tuple[list[FolderDelta], list[int], list[bytes]]:
    """Returns (the delta without files whose chunks are gone, CRC-32s, the paths of those).

    mask: makes of chunk ids and their CRC-32 what the catalogue keeps.
    Such a file counts as removed: whatever it replaced is not what the run had.
    """
    settled: list[FolderDelta] = []
    crc32s: list[int] = []
    gone: list[bytes] = []
    for delta in deltas:
        upserts: list[Entry] = []
        removed = list(delta.removed)
        for entry in delta.upserts:
            crc32 = find_crc32(delta.folder, entry, facts)
            if crc32 is None:
                removed.append(entry.name)
                gone.append(_join(delta.folder, entry.name))
            else:
                upserts.append(entry)
                crc32s.append(mask(entry.chunks, crc32))
        settled.append(FolderDelta(delta.folder, upserts, removed))
    return settled, crc32s, gone


def find_crc32(folder: bytes, entry: Entry, facts: Facts) -> int | None:
    """The CRC-32 of an entry's content; None where a chunk of it is gone."""
    ids = split_ids(entry.chunks)
    if not all(chunk_id in facts for chunk_id in ids):
        return None
    try:
        return combine_crc32s(folder, entry, ids, facts)
    except EntryRejected:
        return None


def settle_list(
    folders: Iterable[ListedFolder], facts: Facts, mask: Callable[[bytes, int], int]
) -> tuple[list[tuple[bytes, list[ListedVersion]]], list[tuple[bytes, int, int | None]]]:
    """Returns (folders with their versions, those that can't be brought back with their runs)."""
    settled = []
    gone = []
    for folder in folders:
        kept = []
        for entry, first, last in zip(
            folder.entries, folder.first_runs, folder.last_runs, strict=True
        ):
            crc32 = find_crc32(folder.folder, entry, facts)
            if crc32 is None:
                gone.append((_join(folder.folder, entry.name), first, last))
            else:
                kept.append(_listed(entry, mask(entry.chunks, crc32), first, last))
        settled.append((folder.folder, kept))
    return settled, gone


def _listed(entry: Entry, crc32: int, first: int, last: int | None) -> ListedVersion:
    return ListedVersion(
        entry.name,
        entry.kind,
        entry.mode,
        entry.mtime_ns,
        entry.uid,
        entry.gid,
        entry.size,
        entry.target,
        entry.chunks,
        crc32,
        first,
        last,
        entry.attributes,
    )


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
