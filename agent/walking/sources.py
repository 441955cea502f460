"""What lies below each folder of a plan: an empty mount must not pass for a plan without files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.config import Plan
from agent.platforms import folders
from agent.telling.counters import Counters, Missed
from agent.telling.failures import AgentError
from agent.telling.names import shown_absolute
from agent.walking.records import Reader
from agent.walking.tree import Listing
from libs.shared.reasons import Reason


class Source(msgspec.Struct, array_like=True):
    """One of a plan's folders at the last run: which one it was, and how many files it held."""

    device: int
    inode: int
    files: int


@dataclass
class _Tally:
    """A folder of the plan: which one it is, and what was found in it, folders of its own aside."""

    device: int
    inode: int
    files: int = 0
    size_bytes: int = 0


class Sources:
    """Counts what is found below each of a plan's folders while they are walked."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._found: dict[bytes, _Tally] = {}
        self._present: _Tally | None = None

    def watch(self, listings: Iterable[Listing]) -> Iterator[Listing]:
        """Pass the walk on; what it yields is counted before the next one is asked for."""
        base: bytes | None = None
        for listing in listings:
            if listing.base != base:
                self._pause()
                base = listing.base
                if base is not None:
                    self._go_on(base)
            yield listing
        self._pause()

    def _go_on(self, root: bytes) -> None:
        if root not in self._found:
            status = folders.status_at(root)
            self._found[root] = _Tally(status.st_dev, status.st_ino)
        self._present = self._found[root]
        self._present.files -= self._counters.files_total
        self._present.size_bytes -= self._counters.bytes_protected

    def _pause(self) -> None:
        if self._present is not None:
            self._present.files += self._counters.files_total
            self._present.size_bytes += self._counters.bytes_protected
            self._present = None

    def remembered(self) -> dict[str, Source]:
        """What the next run must know."""
        return {
            root.hex(): Source(found.device, found.inode, found.files)
            for root, found in self._found.items()
        }

    def check_least(self, plan: Plan) -> None:
        """Raises AgentError where less was found than the plan's minimum."""
        if not self._found:
            return
        places = ", ".join(map(shown_absolute, sorted(self._found)))
        files = sum(found.files for found in self._found.values())
        size = sum(found.size_bytes for found in self._found.values())
        if plan.min_files is not None and files < plan.min_files:
            raise AgentError(Reason("source-empty", places, files, plan.min_files))
        if plan.min_size_bytes is not None and size < plan.min_size_bytes:
            raise AgentError(Reason("source-small", places, size, plan.min_size_bytes))

    def _files_before(self, root: bytes, source: Source | None, known_file: Path | None) -> int:
        if source is not None:
            return source.files
        return _files_below(root, self._found, known_file)

    def emptied(
        self, before: dict[str, Source], known_file: Path | None, accepted: bool
    ) -> dict[bytes, Missed]:
        """The folders that held files at the last run and hold none now, each with a reason.

        known_file: the records of the last restore point, looked into where we remember nothing.
        Raises AgentError, unless `accepted`, where such a folder is another one than before.
        """
        emptied: dict[bytes, Missed] = {}
        for root, found in self._found.items():
            if found.files:
                continue
            source = before.get(root.hex())
            files = self._files_before(root, source, known_file)
            if not files:
                continue
            is_same = source is not None and (source.device, source.inode) == (
                found.device,
                found.inode,
            )
            if not is_same and not accepted:
                raise AgentError(Reason("folder-swapped", shown_absolute(root), files))
            emptied[root] = Missed(Reason("emptied", amount=files))
        return emptied


def _files_below(root: bytes, roots: Iterable[bytes], known_file: Path | None) -> int:
    """How many files a file of records has in a folder and below it, other roots aside."""
    if known_file is None:
        return 0
    inner = [other for other in roots if other != root and _lies_in(other, root)]
    records = Reader(known_file)
    try:
        return sum(
            record.files
            for record in records
            if _lies_in(record.path, root)
            and not any(_lies_in(record.path, other) for other in inner)
        )
    finally:
        records.close()


def _lies_in(path: bytes, folder: bytes) -> bool:
    return not folder or path == folder or path.startswith(folder + b"/")
