"""A plan's dumps as one more folder of its tree, between those of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from agent.config import Dump
from agent.config.plans import DUMPS_FOLDER
from agent.dumps import programs
from agent.dumps.taking import TakenDump
from agent.telling.counters import Missed
from agent.walking import records
from agent.walking.tree import FILE, FOLDER, Listing, Row
from libs.shared.reasons import Reason

NAME = DUMPS_FOLDER.encode()
_ORDER = records.order_of(NAME)


def list_dumps(dumps: Sequence[TakenDump]) -> Listing:
    """The folder of dumps: those that succeeded anew, the others as they were."""
    listing = Listing(NAME)
    for dump in sorted(dumps, key=lambda dump: os.fsencode(dump.file_name)):
        name = os.fsencode(dump.file_name)
        if dump.succeeded:
            mode = FILE << 12 | 0o600
            listing.rows.append((name, mode, 0, dump.size_bytes, dump.started_ns, 0, 0, 0))
            listing.contents[name] = dump.chunks
        else:
            listing.kept.append(name)
    return listing


def as_before(dumps: Sequence[Dump]) -> list[TakenDump]:
    """Dumps that are not taken, so that each stays as it was."""
    return [TakenDump(dump.name, programs.file_name(dump), False, False, 0) for dump in dumps]


def with_dumps(
    walk: Iterable[Listing], dumps: Sequence[TakenDump], on_missed: Callable[[bytes, Missed], None]
) -> Iterator[Listing]:
    """The listings of a walk with the folder of dumps at its place among them.

    A real folder of that name at the machine's root is left out, and said to be missed.
    """
    folder = list_dumps(dumps)
    newest = max((dump.started_ns for dump in dumps), default=0)
    row: Row = (NAME, FOLDER << 12 | 0o700, 0, 0, newest, 0, 0, 0)
    is_told = False
    for listing in walk:
        if listing.path == NAME or listing.path.startswith(NAME + b"/"):
            continue
        if not is_told and records.order_of(listing.path) > _ORDER:
            is_told = True
            yield folder
        if listing.path:
            yield listing
        else:
            yield _with_row(listing, row, on_missed)
    if not is_told:
        yield folder


def _with_row(root: Listing, row: Row, on_missed: Callable[[bytes, Missed], None]) -> Listing:
    rows = [other for other in root.rows if other[0] != NAME]
    if len(rows) != len(root.rows):
        on_missed(NAME, Missed(Reason("name-of-dumps")))
    return msgspec.structs.replace(root, rows=sorted([*rows, row]))
