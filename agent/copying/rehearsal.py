"""Comparing without copying: what a run would send, and whether that fits under a ceiling."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.config import Dump
from agent.copying.delta import Comparison, Known, join
from agent.dumps.folder import as_before, with_dumps
from agent.server.ingest import MAX_IDS_ASKED, Ingest, StartedRun
from agent.telling.counters import Counters, Missed
from agent.walking.beside import Beside
from agent.walking.reading import FileReader
from agent.walking.records import Reader, Record
from agent.walking.tree import Listing, Row, Tree
from libs.shared.entries import Entry, EntryFault, FolderDelta
from libs.shared.packs import PackBuilder

LARGEST_NAMED = 20
WINDOW_BYTES = 3 * 1024 * 1024
# What the store keeps beside what is sent: nonces and tags of frames and index, check sums.
_SEALED_MORE_BYTES, _FRAME_MORE_BYTES, _CHUNK_MORE_BYTES = 28, 28, 4


class Nowhere:
    """In the place of a file of records: keeps nothing."""

    def begin(self, reader: Reader) -> None:
        """Nothing begins."""

    def add(self, record: Record) -> None:
        """Nothing is added."""


@dataclass
class Rehearsed:
    """What would be read.

    largest: the size and path of the largest new and changed files, largest first.
    """

    counters: Counters = field(default_factory=Counters)
    files_to_read: int = 0
    bytes_to_read: int = 0
    largest: list[tuple[int, bytes]] = field(default_factory=list)
    unreadable: dict[bytes, Missed] = field(default_factory=dict)


class Rehearsal(Comparison):
    """A comparison that opens no file."""

    def __init__(self, known: Reader, found: Rehearsed, beside: Beside) -> None:
        reader = FileReader(bytes(32), _pass_over)
        super().__init__(
            known, Nowhere(), reader, _emit_nothing, found.counters, self._miss, beside
        )
        self._found = found

    def _miss(self, path: bytes, missed: Missed) -> None:
        self._found.unreadable[path] = missed

    def _find_fault(self, entry: Entry) -> EntryFault | None:
        return None  # no content was read, so that it can't fit its size

    def _take_file(self, listing: Listing, row: Row, known: Known | None) -> Known | None:
        if known is not None and (known[0][3], known[0][4]) == (row[3], row[4]):
            # Its owner or another name of it changed; what it holds most likely not.
            return row, known[1]
        found = self._found
        found.files_to_read += 1
        found.bytes_to_read += row[3]
        heapq.heappush(found.largest, (row[3], join(listing.path, row[0])))
        if len(found.largest) > LARGEST_NAMED:
            heapq.heappop(found.largest)
        return row, b""


def rehearse(tree: Tree, known_file: Path | None, dumps: Sequence[Dump] = ()) -> Rehearsed:
    """Compare a tree as it is with records, by names, sizes and times alone.

    dumps: are not taken, and looked at as if they stayed what they are.
    """
    found = Rehearsed()
    known = Reader(known_file)
    try:
        walk = tree.walk()
        if dumps:
            walk = with_dumps(walk, as_before(dumps), found.unreadable.__setitem__)
        Rehearsal(known, found, Beside((), _pass_over)).compare(walk)
    finally:
        known.close()
    found.largest.sort(reverse=True)
    return found


def growth_of(
    ingest: Ingest,
    started: StartedRun,
    chunk_key: bytes,
    tree: Tree,
    known_file: Path | None,
    ceiling_bytes: int,
) -> int:
    """How many bytes a run would add to the store, or the first sum above the ceiling.

    Reads what is new and changed and asks which chunks are missing, but sends none. Those that
    the server asks for, since they were damaged in the store, are no growth.
    """
    # Dumps are not counted: how large they were the last time is known, but not how much of them
    # the store lacks, which may be next to nothing. A run that is refused though it would have
    # fitted leaves the client without a copy; one that goes on too far is told so by the first
    # pack above the ceiling, and has sent no more than what fitted.
    if rehearse(tree, known_file).bytes_to_read == 0:
        return 0
    growth = _Growth(ingest, started, ceiling_bytes)
    known = Reader(known_file)
    reader = FileReader(chunk_key, growth.offer)
    comparison = Comparison(
        known, Nowhere(), reader, _emit_nothing, Counters(), _pass_over, Beside((), _pass_over)
    )
    try:
        comparison.compare(tree.walk())
        growth.finish()
    except _Enough:
        pass
    finally:
        known.close()
    return growth.size_bytes


class _Enough(Exception):
    """The ceiling is passed: by how much does not matter."""


class _Growth:
    """Sums what the packs of chunks that the store lacks would take in it."""

    def __init__(self, ingest: Ingest, started: StartedRun, ceiling_bytes: int) -> None:
        self.size_bytes = 0
        self._ingest, self._run_id, self._ceiling = ingest, started.run_id, ceiling_bytes
        self._seen = set(started.wanted_chunks)
        self._window: list[tuple[bytes, bytes]] = []
        self._window_bytes = 0
        self._builder = PackBuilder()

    def offer(self, chunk_id: bytes, content: bytes | memoryview) -> None:
        if chunk_id in self._seen:
            return
        self._seen.add(chunk_id)
        self._window.append((chunk_id, bytes(content)))
        self._window_bytes += len(content)
        if self._window_bytes >= WINDOW_BYTES or len(self._window) >= MAX_IDS_ASKED:
            self._ask()

    def finish(self) -> None:
        """Count the last pack as well."""
        self._ask()
        self._finish_pack()

    def _ask(self) -> None:
        if not self._window:
            return
        missing = self._ingest.missing(self._run_id, [chunk_id for chunk_id, _ in self._window])
        for (chunk_id, content), is_missing in zip(self._window, missing, strict=True):
            if is_missing:
                self._builder.add(chunk_id, content)
                if self._builder.is_full:
                    self._finish_pack()
        self._window, self._window_bytes = [], 0

    def _finish_pack(self) -> None:
        builder = self._builder
        if not builder.chunk_ids:
            return
        pack = builder.finish()
        self.size_bytes += len(pack.body) + _SEALED_MORE_BYTES
        self.size_bytes += builder.frames * _FRAME_MORE_BYTES
        self.size_bytes += len(builder.chunk_ids) * _CHUNK_MORE_BYTES
        if self.size_bytes > self._ceiling:
            raise _Enough
        self._builder = PackBuilder(pack.reclaim())


def _pass_over(_subject: bytes, _told: object) -> None:
    return None


def _emit_nothing(delta: FolderDelta) -> None:
    return None
