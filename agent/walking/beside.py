"""What an entry has beside its content: attributes, more names of one file, a device's number.

Looked at only for what is new or changed: an unchanged tree costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from fnmatch import translate

from agent.platforms import extended, folders
from agent.telling import oserrors
from agent.walking.records import Held, hold
from agent.walking.tree import FOLDER, Listing, Row
from libs.shared import attributes
from libs.shared.entries import MAX_TIME_NS
from libs.shared.reasons import Reason

OnLost = Callable[[bytes, Reason], None]


class Beside:
    """Looks at what a run finds new or changed; one for a run.

    excluded: patterns of attributes that are not copied; ACLs always are, as a mode means nothing
    without them. on_lost: told of a path whose attributes could not be had, or not all of them.
    """

    def __init__(self, excluded: Sequence[str], on_lost: OnLost) -> None:
        self._excluded = [re.compile(os.fsencode(translate(pattern))) for pattern in excluded]
        self._on_lost = on_lost
        self._first_names: dict[tuple[int, int], bytes] = {}

    def held(self, listing: Listing, row: Row, content: bytes, status: os.stat_result) -> Held:
        """What is held of an entry whose content is known; status: as it is now."""
        shared = b""
        if status.st_nlink > 1 and row[1] >> 12 != FOLDER:
            path = listing.path + b"/" + row[0] if listing.path else row[0]
            shared = self._first_names.setdefault((status.st_dev, status.st_ino), path)
        return self.marked(listing, row, content, shared)

    def marked(self, listing: Listing, row: Row, content: bytes, shared: bytes = b"") -> Held:
        """The same for an entry of which only its attributes are still to be looked at."""
        return hold(content, shared, self._attributes(listing, row))

    def _attributes(self, listing: Listing, row: Row) -> bytes:
        name = row[0]
        path = listing.path + b"/" + name if listing.path else name
        try:
            if listing.descriptor < 0:
                found = folders.attributes_at(path)
            else:
                found = folders.attributes_of(name, listing.descriptor)
            if abs(row[4]) == MAX_TIME_NS:
                found[attributes.TIME] = attributes.write_time(_exact_time(listing, path, name))
        except OSError as error:
            self._on_lost(path, Reason("attributes-unread", detail=oserrors.words_of(error)))
            return b""
        kept = {name: value for name, value in found.items() if self._is_wanted(name)}
        written = attributes.write(kept)
        while len(written) > attributes.MAX_BYTES:
            longest = max(kept, key=lambda one: len(kept[one]))
            self._on_lost(path, Reason("attributes-too-long", os.fsdecode(longest)))
            del kept[longest]
            written = attributes.write(kept)
        return written

    def _is_wanted(self, name: bytes) -> bool:
        return name in extended.ACLS or not any(one.match(name) for one in self._excluded)


def _exact_time(listing: Listing, path: bytes, name: bytes) -> int:
    if listing.descriptor < 0:
        return folders.status_at(path).st_mtime_ns
    return folders.status_in(name, listing.descriptor).st_mtime_ns
