"""Whether what a restore finds is what it would put there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from agent.platforms import ME, extended, folders
from agent.platforms.attributes import number_of
from agent.restore import times
from agent.restore.collisions import InTheWay
from libs.shared import attributes
from libs.shared.entries import Entry
from libs.shared.reasons import Reason

UNFINISHED_MODE = 0o200
SPECIALS = {"p": stat.S_IFIFO, "b": stat.S_IFBLK, "c": stat.S_IFCHR}


def is_same(folder: int, entry: Entry, status: os.stat_result, *, may_try: bool = True) -> bool:
    """Is what was found in a folder under its name this very entry?

    Of a file by size and time alone. may_try: as `times.is_equal` says.
    """
    if entry.kind == "f" and stat.S_ISREG(status.st_mode):
        if status.st_size != entry.size:
            return False
        wanted_ns = attributes.time_of(entry.mtime_ns, entry.attributes)
        if not times.is_equal(folder, wanted_ns, status.st_mtime_ns, may_try=may_try):
            return False
        return entry.mode == UNFINISHED_MODE or not is_unfinished(status)
    if entry.kind == "l" and stat.S_ISLNK(status.st_mode):
        return folders.read_link(entry.name, folder) == entry.target
    if entry.kind not in SPECIALS or stat.S_IFMT(status.st_mode) != SPECIALS[entry.kind]:
        return False
    return entry.kind == "p" or number_of(status) == entry.target


def has_attributes(entry: Entry, found: Mapping[bytes, bytes]) -> bool:
    """Has what was found all attributes of an entry, and no ACL that it doesn't have?"""
    wanted = attributes.read(entry.attributes)
    wanted.pop(attributes.TIME, None)
    return wanted.items() <= found.items() and all(
        name in wanted or name not in found for name in extended.ACLS
    )


def is_unfinished(status: os.stat_result) -> bool:
    """Is this a file that a cut restore was about to write?"""
    return (
        stat.S_ISREG(status.st_mode)
        and stat.S_IMODE(status.st_mode) == UNFINISHED_MODE
        and status.st_nlink == 1
        and status.st_uid == ME
    )


def check_replaceable(status: os.stat_result, overwrite: bool) -> None:
    """InTheWay if what was found stays."""
    if stat.S_ISDIR(status.st_mode):
        raise InTheWay(Reason("folder-in-the-way"))
    if not overwrite:
        raise InTheWay(Reason("something-there"))
