"""What an entry has beside its content: attributes, more names of one file, a device's number.

Looked at only for what is new or changed: an unchanged tree costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import translate
from pathlib import Path

from agent.platforms import extended, folders
from agent.telling import oserrors
from agent.walking import records
from agent.walking.records import Held, hold
from agent.walking.tree import Listing, Row, row_of
from libs.shared import attributes
from libs.shared.entries import MAX_TIME_NS
from libs.shared.reasons import Reason

MOST_KNOWN_NAMES = 200_000
"""More files with several names than this are not looked up: they cost memory."""

OnLost = Callable[[bytes, Reason], None]


class Beside:
    """Looks at what a run finds new or changed; one for a run.

    excluded: patterns of attributes that are not copied; what says who may do what always is.
    on_lost: told of a path whose attributes could not be had, or not all of them.
    known_file: the records of the last run.
    """

    def __init__(
        self, excluded: Sequence[str], on_lost: OnLost, known_file: Path | None = None
    ) -> None:
        self._excluded = [re.compile(os.fsencode(translate(pattern))) for pattern in excluded]
        self._on_lost = on_lost
        self._first_names: dict[tuple[int, int], bytes] = {}
        self._known_file = known_file
        self._known_names: dict[tuple[int, ...], bytes] | None = None

    def shared(self, path: bytes, status: os.stat_result) -> bytes:
        """The path of the first of a file's names; empty where it has but one."""
        if status.st_nlink < 2:
            return b""
        key = status.st_dev, status.st_ino
        if key not in self._first_names:
            self._first_names[key] = self._known_first(path, status) or path
        return self._first_names[key]

    def _known_first(self, path: bytes, status: os.stat_result) -> bytes | None:
        """What the file's other names have had since the last run, if they are as they were.

        So they stay one file when the folder of some of them was renamed: neither those names nor
        the file itself tell of that. Read once, and only where a file with names came anew.
        """
        if self._known_names is None:
            self._known_names = records.first_names(self._known_file, MOST_KNOWN_NAMES)
        return self._known_names.get(row_of(path, status)[2:6])

    def look(self, listing: Listing, row: Row) -> dict[bytes, bytes] | OSError:
        """The attributes of an entry that is not open, or why they can't be had."""
        try:
            if listing.descriptor < 0:
                return folders.attributes_at(_join(listing.path, row[0]))
            return folders.attributes_of(row[0], listing.descriptor)
        except OSError as error:
            return error

    def hold(
        self,
        listing: Listing,
        row: Row,
        content: bytes,
        found: dict[bytes, bytes] | OSError,
        shared: bytes = b"",
    ) -> Held:
        """What is held of an entry with this content and these attributes."""
        if not found and not shared and abs(row[4]) != MAX_TIME_NS:
            return content
        path = _join(listing.path, row[0])
        kept: dict[bytes, bytes] = {}
        if isinstance(found, OSError):
            reason = Reason("attributes-unread", detail=oserrors.words_of(found))
            self._on_lost(path, reason)
        else:
            kept = {name: value for name, value in found.items() if self._is_wanted(name)}
            for name in [name for name in kept if len(name) > attributes.MAX_NAME_BYTES]:
                self._on_lost(path, Reason("attributes-too-long", os.fsdecode(name)))
                del kept[name]
        if abs(row[4]) == MAX_TIME_NS:
            kept[attributes.TIME] = attributes.write_time(_exact_time(listing, path, row))
        written = attributes.write(kept)
        while len(written) > attributes.MAX_BYTES:
            longest = max(kept, key=lambda one: len(kept[one]))
            self._on_lost(path, Reason("attributes-too-long", os.fsdecode(longest)))
            del kept[longest]
            written = attributes.write(kept)
        return hold(content, shared, written)

    def _is_wanted(self, name: bytes) -> bool:
        return name in extended.RIGHTS or not any(one.match(name) for one in self._excluded)


def _exact_time(listing: Listing, path: bytes, row: Row) -> int:
    """The time that a row can't hold; the border where it is gone meanwhile."""
    with suppress(OSError):
        if listing.descriptor < 0:
            return folders.status_at(path).st_mtime_ns
        return folders.status_in(row[0], listing.descriptor).st_mtime_ns
    return row[4]


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
