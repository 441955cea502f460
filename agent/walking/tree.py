"""The walk: a plan's folders, one folder at a time, always in the same order.

Folders are opened by descriptor without following symlinks, and an opened folder must be the one
that its parent's listing named, so that no swap of a path leads elsewhere.
Paths are bytes, absolute, without the leading slash.
"""

from __future__ import annotations

import bisect
import itertools
import operator
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from agent.exclusions import Exclusions, Rules
from agent.exclusions.rules import CACHE_TAG
from agent.platforms import SYSTEM, fold, folders, paths
from agent.telling import oserrors
from agent.walking import opening
from agent.walking.large import LARGE_FOLDER_ENTRIES, SortedNames
from agent.walking.views import IN_PLACE, Views
from libs.shared.entries import MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_TIME_NS
from libs.shared.reasons import Reason

FILE, FOLDER, LINK = stat.S_IFREG >> 12, stat.S_IFDIR >> 12, stat.S_IFLNK >> 12
FIFO, BLOCK, CHARACTER = stat.S_IFIFO >> 12, stat.S_IFBLK >> 12, stat.S_IFCHR >> 12
KINDS = frozenset({FILE, FOLDER, LINK, FIFO, BLOCK, CHARACTER})

NAME_TOO_LONG = Reason("name-over-limit")
_HAVE_SIZES = frozenset({FILE, LINK})

# name, st_mode, inode, size, mtime in ns, ctime in ns, uid, gid
Row = tuple[bytes, int, int, int, int, int, int, int]

_fields = folders.fields
_mtime_of = operator.itemgetter(4)
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def row_of(name: bytes, status: os.stat_result) -> Row:
    """What is remembered of an entry to see whether it changed."""
    mode, inode, size, mtime_ns, ctime_ns, uid, gid = _fields(status)
    return name, mode, inode, size, _within(mtime_ns), ctime_ns, uid, gid


class Listing(msgspec.Struct):
    """One folder as it is now.

    rows: sorted by name, without what is excluded and without sockets; only files and symlinks
    have a size. A time that the wire can't hold stands at its border.
    unseen: names whose state could not be read, with the reason.
    unreadable: why the folder itself could not be listed, else None.
    too_large: files that are left out for their size alone.
    names: of a folder too large for one listing; it comes in parts, each up to a name, the last
    up to None.
    pinned: the folder only leads to a plan's folder; what else is in it is not listed.
    base: the plan's folder that it belongs to, the innermost one; None if it is pinned.
    leads: names that are there only because they lead to a plan's folder.
    contents: chunk ids by name, of files that were read and offered already: dumps.
    kept: names that stay as they were at the last restore point: dumps that failed.
    """

    path: bytes
    descriptor: int = -1
    rows: list[Row] = []
    unseen: dict[bytes, Reason] = {}
    unreadable: Reason | None = None
    pinned: bool = False
    specials: int = 0
    too_large: list[Row] = []
    contents: dict[bytes, bytes] = {}
    kept: list[bytes] = []
    names: SortedNames | None = None
    part: int = 0
    up_to: bytes | None = None
    base: bytes | None = None
    leads: set[bytes] = set()


class _Step(NamedTuple):
    path: bytes
    inode: int | None
    base: bytes | None


class Tree:
    """A plan's folders, checked to be there."""

    def __init__(
        self,
        named: Sequence[str],
        rules: Rules,
        own_folders: Sequence[str],
        views: Views = IN_PLACE,
    ) -> None:
        self._rules = rules
        self._views = views
        self._devices: dict[bytes, int] = {}
        self.roots = sorted({os.fsencode(folder).lstrip(b"/") for folder in named})
        own = [os.fsencode(paths.plan_folder(folder, SYSTEM)) for folder in own_folders]
        self._exclusions = {root: Exclusions(root, self._rules, own, fold) for root in self.roots}
        self._leading: dict[bytes, frozenset[bytes]] = {}
        for root in self.roots:
            opening.open_root(root, views, close=True)
            parts = root.split(b"/") if root else []
            for depth, part in enumerate(parts):
                above = b"/".join(parts[:depth])
                self._leading[above] = self._leading.get(above, frozenset()) | {part}

    def walk(self) -> Iterator[Listing]:
        """Each folder before those in it, by name; the descriptor is closed when we go on."""
        steps = [_Step(b"", None, b"" if b"" in self._exclusions else None)]
        while steps:
            step = steps.pop()
            listing = self._leads(step.path) if step.base is None else self._list(step)
            parts = (listing,) if listing.names is None else self._slice(listing, step)
            below: list[Row] = []
            leads: set[bytes] = set()
            try:
                for part in parts:
                    yield part
                    below += [row for row in part.rows if row[1] >> 12 == FOLDER]
                    leads |= part.leads
            finally:
                if listing.descriptor >= 0:
                    folders.close(listing.descriptor)
            prefix = step.path + b"/" if step.path else b""
            for row in reversed(below):
                path = prefix + row[0]
                base = None if row[0] in leads else step.base
                if path in self._exclusions:
                    base = path
                steps.append(_Step(path, row[2], base))

    def _slice(self, whole: Listing, step: _Step) -> Iterator[Listing]:
        """A large folder as listings that follow each other by name."""
        assert whole.names is not None
        leading = self._leading.get(whole.path, frozenset())
        for part, (names, is_last) in enumerate(whole.names.slices()):
            listing = Listing(whole.path, whole.descriptor, part=part, base=step.base)
            listing.up_to = None if is_last else names[-1]
            self._fill(listing, _look_at(listing, names), step)
            due = {name for name in leading if is_last or name <= names[-1]}
            _lead_on(listing, due)
            leading -= due
            yield listing

    def _leads(self, path: bytes) -> Listing:
        listing = Listing(path, pinned=True)
        _lead_on(listing, self._leading.get(path, frozenset()))
        return listing

    def _list(self, step: _Step) -> Listing:
        listing = self._list_alone(step)
        if step.path in self._leading and listing.names is None and listing.unreadable is None:
            _lead_on(listing, self._leading[step.path])
        return listing

    def _list_alone(self, step: _Step) -> Listing:
        """A folder without regard to what leads through it."""
        listing = Listing(step.path, base=step.base)
        try:
            if step.path in self._exclusions:
                listing.descriptor = opening.open_root(step.path, self._views)
            else:
                listing.descriptor = opening.open_folder(step.path, step.inode, self._views)
            if self._rules.one_file_system and self._is_elsewhere(listing, step):
                return listing
            rows = _scan(listing)
        except OSError as error:
            if step.path in self._exclusions:
                raise opening.missing(step.path, error) from error
            if error.errno not in opening.GONE:
                listing.unreadable = oserrors.reason_of(error)
            return listing
        if listing.names is not None and step.path not in self._exclusions:
            # Only its marks can make a large folder small.
            listing.rows = sorted(_look_at(listing, [*self._rules.markers, CACHE_TAG]))
            if self._keep_mark_only(listing):
                listing.names = None
            return listing
        self._fill(listing, rows, step)
        if step.path not in self._exclusions:
            self._keep_mark_only(listing)
        return listing

    def _fill(self, listing: Listing, rows: list[Row], step: _Step) -> None:
        listing.rows = _kept(listing, rows, self._exclusions[step.base or b""])
        if self._rules.max_file_size_bytes is not None:
            _leave_out_large(listing, self._rules.max_file_size_bytes)

    def _is_elsewhere(self, listing: Listing, step: _Step) -> bool:
        """Is another file system mounted here?"""
        device = folders.status(listing.descriptor).st_dev
        if step.path in self._exclusions:
            self._devices[step.path] = device
        return device != self._devices[step.base or b""]

    def _keep_mark_only(self, listing: Listing) -> bool:
        """Of a folder that asks not to be copied, only the file that says so stays."""
        for name in self._rules.markers:
            if (row := _find(listing.rows, name)) is not None:
                listing.rows = [row]
                listing.unseen.clear()
                return True
        if self._rules.exclude_caches:
            row = _find(listing.rows, CACHE_TAG)
            if row is not None and row[1] >> 12 == FILE and opening.is_signed(listing.descriptor):
                listing.rows = [row]
                listing.unseen.clear()
                return True
        return False


def _scan(listing: Listing) -> list[Row]:
    try:
        with folders.scan(listing.descriptor) as entries:
            rows = [
                (
                    entry.name.encode(_ENCODING, _ERRORS),
                    *_fields(entry.stat(follow_symlinks=False)),
                )
                for entry in itertools.islice(entries, LARGE_FOLDER_ENTRIES)
            ]
            if len(rows) < LARGE_FOLDER_ENTRIES:
                return rows
            first = [row[0] for row in rows]
            rows.clear()
            others = (entry.name.encode(_ENCODING, _ERRORS) for entry in entries)
            listing.names = SortedNames(itertools.chain(first, others))
            return []
    except OSError:
        return _scan_one_by_one(listing)


def _look_at(listing: Listing, names: Sequence[bytes]) -> list[Row]:
    """Rows of those names that are there."""
    rows: list[Row] = []
    for name in names:
        try:
            status = folders.status_in(name, listing.descriptor)
        except FileNotFoundError:
            continue
        except OSError as error:
            listing.unseen[name] = oserrors.reason_of(error)
        else:
            rows.append(row_of(name, status))
    return rows


def _scan_one_by_one(listing: Listing) -> list[Row]:
    rows: list[Row] = []
    with folders.scan(listing.descriptor) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            try:
                rows.append(row_of(name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
            except OSError as error:
                listing.unseen[name] = oserrors.reason_of(error)
    return rows


def _kept(listing: Listing, rows: list[Row], exclusions: Exclusions) -> list[Row]:
    """Without special files and what is excluded, by name; folders have no size."""
    kinds = {row[1] >> 12 for row in rows}
    if not kinds <= KINDS:
        listing.specials = sum(row[1] >> 12 not in KINDS for row in rows)
        rows = [row for row in rows if row[1] >> 12 in KINDS]
    if not kinds <= _HAVE_SIZES:
        rows = [row if row[1] >> 12 in _HAVE_SIZES else (*row[:3], 0, *row[4:]) for row in rows]
    rows = _within_limits(listing, rows)
    if exclusions.any_in(listing.path, [row[0] for row in rows]):
        rows = [
            row
            for row in rows
            if not exclusions.match(listing.path, row[0], row[1] >> 12 == FOLDER)
        ]
    for name in list(listing.unseen):
        if exclusions.match(listing.path, name, False):
            del listing.unseen[name]
    rows.sort()
    return rows


def _within_limits(listing: Listing, rows: list[Row]) -> list[Row]:
    """Without names that the service can't keep, and with no time beyond its borders."""
    times = [*map(_mtime_of, rows), 0]
    if min(times) < -MAX_TIME_NS or max(times) > MAX_TIME_NS:
        rows = [(*row[:4], _within(row[4]), *row[5:]) for row in rows]
    room = MAX_PATH_BYTES - len(listing.path) - bool(listing.path)
    # On Linux no name is longer, whatever the file system.
    if room < MAX_NAME_BYTES or SYSTEM != "linux":
        room = min(room, MAX_NAME_BYTES)
        too_long = {row[0] for row in rows if len(row[0]) > room}
        listing.unseen |= dict.fromkeys(too_long, NAME_TOO_LONG)
        rows = [row for row in rows if row[0] not in too_long]
    return rows


def _within(time_ns: int) -> int:
    return min(max(time_ns, -MAX_TIME_NS), MAX_TIME_NS)


def _find(rows: list[Row], name: bytes) -> Row | None:
    place = bisect.bisect_left(rows, (name,))
    return rows[place] if place < len(rows) and rows[place][0] == name else None


def _leave_out_large(listing: Listing, most_bytes: int) -> None:
    if any(row[3] > most_bytes for row in listing.rows):
        listing.too_large = [row for row in listing.rows if row[3] > most_bytes]
        listing.rows = [row for row in listing.rows if row[3] <= most_bytes]


def _lead_on(listing: Listing, names: Iterable[bytes]) -> None:
    """Keep what leads to a plan's folder, whatever else of this folder is left out.

    A symlink on the way is a folder in the copy.
    """
    for name in sorted(names):
        row = _find(listing.rows, name)
        if row is not None and row[1] >> 12 == FOLDER:
            continue
        full = listing.path + b"/" + name if listing.path else name
        try:
            new = row_of(name, folders.status_at(full))
        except OSError as error:
            raise opening.missing(full, error) from error
        listing.rows = [other for other in listing.rows if other[0] != name]
        bisect.insort(listing.rows, (*new[:3], 0, *new[4:]))
        listing.leads = {*listing.leads, name}
        listing.unseen.pop(name, None)
