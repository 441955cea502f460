"""Owner, time and mode of what a restore makes, as far as the system knows them."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import Any

_LINKS_HAVE_TIMES = os.utime in os.supports_follow_symlinks
_SET_ID = stat.S_ISUID | stat.S_ISGID
# EINVAL: a number that this system, or the user namespace of a container, doesn't know.
_REFUSALS = frozenset({errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def give(target: int | str, mode: int, mtime_ns: int, owner: tuple[int, int] | None) -> int:
    """Give a file or folder its owner (None: it has it), its time, and its mode; in this order.

    The mode is the last, for until then a file counts as unfinished. How many were refused, as
    only root may give owners, and not all file systems keep modes; raises any other OSError.
    """
    refused = 0
    if owner is not None and sys.platform != "win32":
        try:
            os.chown(target, *owner)
        except OSError as error:
            refused += _refusal(error)
            # It would be ours to execute with our rights, not its owner's with theirs.
            mode &= ~_SET_ID
    os.utime(target, ns=(mtime_ns, mtime_ns))
    try:
        os.chmod(target, mode)
    except OSError as error:
        refused += _refusal(error)
    return refused


def give_link(
    name: bytes | str, mtime_ns: int, owner: tuple[int, int], dir_fd: int | None = None
) -> int:
    """Give a symlink its owner and time; how many were refused."""
    refused = 0
    where: dict[str, Any] = {} if dir_fd is None else {"dir_fd": dir_fd}
    if sys.platform != "win32":
        try:
            os.chown(name, *owner, follow_symlinks=False, **where)
        except OSError as error:
            refused = _refusal(error)
    if _LINKS_HAVE_TIMES:
        os.utime(name, ns=(mtime_ns, mtime_ns), follow_symlinks=False, **where)
    return refused


def _refusal(error: OSError) -> int:
    if error.errno not in _REFUSALS:
        raise error
    return 1
