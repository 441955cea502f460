"""Owner, attributes, time and mode of what a restore makes, as far as the system knows them."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Collection
from typing import Any, NamedTuple

from agent.platforms import extended
from libs.shared import attributes
from libs.shared.entries import Entry

_LINKS_HAVE_TIMES = os.utime in os.supports_follow_symlinks
_SET_ID = stat.S_ISUID | stat.S_ISGID
# EINVAL: a number that this system, or the user namespace of a container, doesn't know.
_REFUSALS = frozenset({errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_TIME_REFUSALS = frozenset({errno.EINVAL, errno.EOVERFLOW, errno.ERANGE})
# Times outside of these every file system may cut to what it can hold.
_FIRST_SAFE_NS, _LAST_SAFE_NS = 315_532_800 * 10**9, 2**31 * 10**9
OWNERS, MODES, TIMES = "owner", "mode", "times"


class Marks(NamedTuple):
    """What a file or folder gets beside its content.

    owner: None where it has it. heir: it may have ACLs by the folder that it was made in.
    """

    mode: int
    mtime_ns: int
    owner: tuple[int, int] | None
    attributes: bytes = b""
    heir: bool = False


def marks_of(entry: Entry, *, owned: bool = False, heir: bool = False) -> Marks:
    """An entry's marks; owned: it has its owner."""
    mtime_ns = attributes.time_of(entry.mtime_ns, entry.attributes)
    owner = None if owned else (entry.uid, entry.gid)
    return Marks(entry.mode, mtime_ns, owner, entry.attributes, heir)


def number_of(status: os.stat_result) -> bytes:
    """How a device is called by number; empty for what is none."""
    if sys.platform == "win32":
        return b""
    if not (stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)):
        return b""
    return b"%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))


def give(target: int | str, marks: Marks) -> Collection[str]:
    """Give owner, attributes, time, mode and ACLs; in this order. What was refused, in words.

    A new owner takes capabilities away. The mode is one of the last, for until then a file counts
    as unfinished; with an ACL it says what the mask is, so without one it would widen the group's
    rights. Only root may give owners, and not all file systems keep all: raises any other OSError.
    """
    mode, refused = marks.mode, set[str]()
    wanted = attributes.read(marks.attributes)
    rights = {name: wanted.pop(name) for name in extended.RIGHTS if name in wanted}
    wanted.pop(attributes.TIME, None)
    if marks.owner is not None and sys.platform != "win32":
        try:
            os.chown(target, *marks.owner)
        except OSError as error:
            refused.add(_refused(error, OWNERS))
            # It would be ours to execute with our rights, not its owner's with theirs.
            mode &= ~_SET_ID
    if wanted:
        refused |= extended.give(target, wanted)
    if marks.heir:
        extended.drop_acls(target, rights)
    refused |= _give_time(target, marks.mtime_ns)
    try:
        os.chmod(target, attributes.mode_of(mode, marks.attributes) if rights else mode)
    except OSError as error:
        refused.add(_refused(error, MODES))
    if rights:
        refused |= extended.give(target, rights)
    return refused


def _give_time(target: int | str, mtime_ns: int) -> set[str]:
    try:
        os.utime(target, ns=(mtime_ns, mtime_ns))
    except OverflowError:
        return {TIMES}
    except OSError as error:
        if _FIRST_SAFE_NS <= mtime_ns < _LAST_SAFE_NS or error.errno not in _TIME_REFUSALS:
            raise
        return {TIMES}
    if _FIRST_SAFE_NS <= mtime_ns < _LAST_SAFE_NS:
        return set()
    # Cut without a word to what the file system can hold; what is finer than it counts is no loss.
    is_kept = abs(os.stat(target).st_mtime_ns - mtime_ns) <= 2 * 10**9
    return set() if is_kept else {TIMES}


def give_link(
    name: bytes | str, path: bytes | str, marks: Marks, dir_fd: int | None = None
) -> Collection[str]:
    """Give a symlink, a FIFO or a device its marks; what was refused, in words.

    path: by which attributes are given, as they know no folder's descriptor.
    """
    refused = set[str]()
    where: dict[str, Any] = {} if dir_fd is None else {"dir_fd": dir_fd}
    if sys.platform != "win32" and marks.owner is not None:
        try:
            os.chown(name, *marks.owner, follow_symlinks=False, **where)
        except OSError as error:
            refused.add(_refused(error, OWNERS))
    wanted = attributes.read(marks.attributes)
    wanted.pop(attributes.TIME, None)
    if wanted:
        refused |= extended.give(path, wanted)
    if _LINKS_HAVE_TIMES:
        try:
            times = (marks.mtime_ns, marks.mtime_ns)
            os.utime(name, ns=times, follow_symlinks=False, **where)
        except OverflowError:
            refused.add(TIMES)
    return refused


def _refused(error: OSError, kind: str) -> str:
    if error.errno not in _REFUSALS:
        raise error
    return kind
