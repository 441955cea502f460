"""A plan as it is now against what was known of it: what was added, changed and removed."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from agent.platforms import folders
from agent.platforms.attributes import number_of
from agent.telling import oserrors
from agent.telling.counters import Counters, Missed
from agent.walking import records
from agent.walking.beside import Beside
from agent.walking.reading import (
    LARGEST_CHUNK_LIST_BYTES,
    READ_AGAIN,
    FileGone,
    FileReader,
    settled,
)
from agent.walking.records import Held, Reader, Record
from agent.walking.tree import FILE, FOLDER, LINK, Listing, Row, row_of
from libs.shared.entries import Entry, EntryFault, FolderDelta, find_fault
from libs.shared.reasons import Reason

REMOVED_AT_ONCE = 5_000
CHANGED_WHILE_READ = Reason("changed-while-read")
COPIED_ALL_THE_SAME = frozenset(
    {CHANGED_WHILE_READ.code, "attributes-unread", "attributes-too-long"}
)
"""What is said of files that were copied, if not as well as they should be."""

Known = tuple[Row, Held]
"""What is remembered of an entry."""

_GONE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})


class Emit(Protocol):
    """Takes what changed in one folder."""

    def __call__(self, delta: FolderDelta) -> None: ...


class Keeps(Protocol):
    """Takes the records of the tree as it is now, from the first that differs."""

    def begin(self, reader: Reader) -> None: ...

    def add(self, record: Record) -> None: ...


class Comparison:
    """Walks a tree beside the records of the last restore point."""

    def __init__(
        self,
        known: Reader,
        writer: Keeps,
        files: FileReader,
        emit: Emit,
        counters: Counters,
        on_missed: Callable[[bytes, Missed], None],
        beside: Beside,
    ) -> None:
        self._beside = beside
        self._known = known
        self._writer = writer
        self._files = files
        self._emit = emit
        self._counters = counters
        self._on_missed = on_missed
        self._held: dict[bytes, Known] = {}

    def compare(self, listings: Iterable[Listing]) -> None:
        """Emit every difference and write the new records."""
        for listing in listings:
            self._counters.folders_total += not listing.part
            self._counters.specials_skipped += listing.specials
            old = self._old(listing.path)
            if listing.pinned and old is not None:
                _overlook_times(listing, old)
            if listing.unreadable is not None:
                self._carry_over(listing.path, listing.unreadable)
            elif (
                old is not None
                and not listing.unseen
                and not self._held
                and old.more == (listing.up_to is not None)
                and old.rows == records.encode_rows(listing.rows)
            ):
                self._pass(old)
            else:
                self._compare_folder(listing, old)
        self._skip_to(None)

    def _pass(self, record: Record) -> None:
        self._count(record)
        self._writer.add(record)
        self._known.advance()

    def _count(self, record: Record) -> None:
        self._counters.files_total += record.files
        self._counters.bytes_protected += record.size_bytes

    def _old(self, path: bytes) -> Record | None:
        """The record of a folder, None where it is new."""
        head = self._known.head
        if head is None or head.path != path:
            self._skip_to(path)
            head = self._known.head
        return head if head is not None and head.path == path else None

    def _skip_to(self, path: bytes | None) -> None:
        """Records that come before this folder in the walk are of folders that are gone."""
        order = None if path is None else records.order_of(path)
        while (head := self._known.head) is not None and (
            order is None or records.order_of(head.path) < order
        ):
            self._writer.begin(self._known)
            self._counters.files_removed += head.files
            self._known.advance()

    def _carry_over(self, path: bytes, reason: Reason) -> None:
        """A folder that can't be listed stays as it was, with all below it."""
        self._on_missed(path, Missed(reason, is_folder=True))
        below = path + b"/"
        while (head := self._known.head) is not None and (
            head.path == path or head.path.startswith(below)
        ):
            self._pass(head)

    def _compare_folder(self, listing: Listing, old: Record | None) -> None:
        self._writer.begin(self._known)
        before = self._known_of(listing, old)
        now: list[Known] = []
        upserts: list[Entry] = []
        for row in listing.rows:
            known = before.pop(row[0], None)
            if known is not None and known[0] == row:
                now.append(known)
                continue
            taken = self._take(listing, row, known)
            if taken is not None:
                taken = self._add_upsert(listing, upserts, taken, known)
            if taken is not None:
                now.append(taken)
        for name, reason in listing.unseen.items():
            self._on_missed(join(listing.path, name), Missed(reason))
            if (known := before.pop(name, None)) is not None:
                now.append(known)
        now += [known for name in listing.kept if (known := before.pop(name, None)) is not None]
        if listing.unseen or listing.kept:
            now.sort()
        removed = self._remove_all_but_few(listing.path, before)
        if upserts or removed:
            self._emit(FolderDelta(listing.path, upserts, removed))
        more = listing.up_to is not None
        rows, held = [row for row, _ in now], [one for _, one in now]
        record = records.record_of(listing.path, rows, held, more)
        self._count(record)
        self._counters.files_in_hand = self._counters.bytes_in_hand = 0
        self._writer.add(record)

    def _known_of(self, listing: Listing, old: Record | None) -> dict[bytes, Known]:
        """What was known of a folder, of a large one up to the last name of this part."""
        before, self._held = self._held, {}
        names: set[bytes] | None = None
        while old is not None:
            last = b""
            for row, held in records.unpack_record(old):
                before[row[0]] = row, held
                last = row[0]
            has_more = old.more
            self._known.advance()
            if not has_more or (listing.up_to is not None and last >= listing.up_to):
                break
            if listing.up_to is None and len(before) >= REMOVED_AT_ONCE:
                names = names or {*(row[0] for row in listing.rows), *listing.unseen}
                gone = {name: before.pop(name) for name in list(before) if name not in names}
                if few := self._remove_all_but_few(listing.path, gone):
                    self._emit(FolderDelta(listing.path, [], few))
            old = self._known.head
        if listing.up_to is not None:
            self._held = {name: before[name] for name in before if name > listing.up_to}
            for name in self._held:
                del before[name]
        return before

    def _remove_all_but_few(self, path: bytes, gone: dict[bytes, Known]) -> list[bytes]:
        """Count what is gone and emit most of it; returns the names that are left to emit."""
        self._counters.files_removed += sum(row[1] >> 12 == FILE for row, _ in gone.values())
        removed = list(gone)
        while len(removed) > REMOVED_AT_ONCE:
            self._emit(FolderDelta(path, [], removed[:REMOVED_AT_ONCE]))
            del removed[:REMOVED_AT_ONCE]
        return removed

    def _add_upsert(
        self, listing: Listing, upserts: list[Entry], taken: Known, known: Known | None
    ) -> Known | None:
        """Have an entry sent that isn't what it was; returns what to remember of it."""
        if known is not None and taken is known:
            return taken
        entry = records.entry_of(*taken)
        was_file = known is not None and known[0][1] >> 12 == FILE
        if known is not None and records.entry_of(*known) == entry:
            return taken
        if (fault := self._find_fault(entry)) is not None:
            self._on_missed(join(listing.path, entry.name), Missed(fault.reason))
            return known
        upserts.append(entry)
        if entry.kind == "f":
            if was_file:
                self._counters.files_changed += 1
            else:
                self._counters.files_new += 1
        elif was_file:
            self._counters.files_removed += 1
        return taken

    def _find_fault(self, entry: Entry) -> EntryFault | None:
        """Why the server would refuse it."""
        return find_fault(entry)

    def _take(self, listing: Listing, row: Row, known: Known | None) -> Known | None:
        """The entry as it is now; as it was if it can't be read; None if it isn't there."""
        try:
            if row[1] >> 12 == FILE:
                return self._take_file(listing, row, known)
            return self._take_other(listing, row)
        except FileGone:
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            self._on_missed(join(listing.path, row[0]), Missed(oserrors.reason_of(error)))
            return known

    def _take_other(self, listing: Listing, row: Row) -> Known:
        kind, read_ns = row[1] >> 12, time.time_ns()
        found = self._beside.look(listing, row)
        if kind == FOLDER:
            return row, self._beside.hold(listing, row, b"", found)
        if kind == LINK:
            content = folders.read_link(row[0], listing.descriptor)
        else:
            content = number_of(folders.status_in(row[0], listing.descriptor))
        return settled(row, read_ns), self._beside.hold(listing, row, content, found)

    def _take_file(self, listing: Listing, row: Row, known: Known | None) -> Known | None:
        if listing.contents:
            self._counters.bytes_read += row[3]
            return row, listing.contents[row[0]]
        if known is not None and (marked := self._take_marks(listing, row, known)) is not None:
            return marked
        self._counters.files_in_hand += 1
        taken, content, has_changed, status, found = self._files.read(listing.descriptor, row)
        self._counters.bytes_read += taken[3]
        path = join(listing.path, row[0])
        if len(content) > LARGEST_CHUNK_LIST_BYTES:
            self._on_missed(path, Missed(Reason("too-large", amount=taken[3])))
            return known
        if has_changed:
            self._on_missed(path, Missed(CHANGED_WHILE_READ))
        shared = self._beside.shared(path, status)
        return taken, self._beside.hold(listing, taken, content, found, shared)

    def _take_marks(self, listing: Listing, row: Row, known: Known) -> Known | None:
        """A file of which all but the content is looked at; None where it must be read.

        What changed without its size and time must be explained by mode, owner, attributes or
        names: else only ctime tells that its content may be another.
        """
        is_told_by_server = _is_known_by_server_only(known[0], row)
        if not is_told_by_server and not _has_same_content(known[0], row):
            return None
        read_ns = time.time_ns()
        status = folders.status_in(row[0], listing.descriptor)
        if row_of(row[0], status)[1:6] != row[1:6]:
            return None
        shared = self._beside.shared(join(listing.path, row[0]), status)
        found, content = self._beside.look(listing, row), records.content_of(known[1])
        held = self._beside.hold(listing, row, content, found, shared)
        if is_told_by_server or held != known[1] or _marks_of(known[0]) != _marks_of(row):
            return settled(row, read_ns), held
        return None


def _overlook_times(listing: Listing, old: Record) -> None:
    """Folders that only lead to a plan's keep their times: others work in them, such as /tmp."""
    times = {row[0]: row[4:6] for row, _ in records.unpack_record(old)}
    listing.rows = [(*row[:4], *times.get(row[0], row[4:6]), *row[6:]) for row in listing.rows]


def _is_known_by_server_only(known: Row, now: Row) -> bool:
    """Whether a file is as the server's list has it: size and time, without inode and ctime."""
    return known[1] >> 12 == FILE and known[2:6] == (0, now[3], now[4], 0)


def _has_same_content(known: Row, now: Row) -> bool:
    """Whether a file differs in ctime, mode and owner at most, as far as that is to be believed."""
    return known[1] >> 12 == FILE and known[2:5] == now[2:5] and known[5] not in (0, READ_AGAIN)


def _marks_of(row: Row) -> tuple[int, int, int]:
    return row[1], row[6], row[7]


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name
