"""What the system keeps of an entry beside its mode: extended attributes and ACLs of Linux.

Elsewhere there is nothing to read, and nothing can be given.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from libs.shared.attributes import ACL_ACCESS, ACL_DEFAULT

ACLS = (ACL_ACCESS, ACL_DEFAULT)
CAPABILITY = b"security.capability"
# Others of `system.` are views of what is told otherwise, or of one file system alone.
_SPACES = (b"user.", b"security.", b"trusted.")
# No attributes here, none of this name any more, none that we may see.
_NONE = frozenset({errno.ENOTSUP, errno.ENODATA, errno.EPERM, errno.ENOENT, errno.ENOTDIR})
# Also ENOSPC: a file system that has room for files may have none for an entry's attributes.
_REFUSALS = frozenset(
    {*_NONE, errno.EACCES, errno.EINVAL, errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.ENOSYS}
) - {errno.ENOENT, errno.ENOTDIR}


def read(target: int | bytes | str) -> dict[bytes, bytes]:
    """The attributes of what an open file or a path is, a symlink's own; raises OSError."""
    found: dict[bytes, bytes] = {}
    if sys.platform != "linux":
        return found
    follows = isinstance(target, int)
    try:
        names = os.listxattr(target, follow_symlinks=follows)
    except OSError as error:
        if error.errno in _NONE:
            return found
        raise
    for name in map(os.fsencode, names):
        if name.startswith(_SPACES) or name in ACLS:
            try:
                found[name] = os.getxattr(target, name, follow_symlinks=follows)
            except OSError as error:
                if error.errno not in _NONE:
                    raise
    return found


def give(target: int | bytes | str, wanted: Mapping[bytes, bytes]) -> set[str]:
    """Give attributes; which kinds of them were refused, in words."""
    refused = set()
    for name, value in wanted.items():
        try:
            _set(target, name, value)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            refused.add(kind_of(name))
    return refused


def _set(target: int | bytes | str, name: bytes, value: bytes) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))


def drop_acls(target: int | bytes | str, wanted: Mapping[bytes, bytes]) -> None:
    """Take away ACLs that are not wanted: of what was there, or of the folder it was made in."""
    if sys.platform == "linux":
        for name in ACLS:
            if name not in wanted:
                with suppress(OSError):
                    os.removexattr(target, name, follow_symlinks=isinstance(target, int))


def kind_of(name: bytes) -> str:
    """What an attribute is for people."""
    if name in ACLS:
        return "ACLs"
    return "capabilities" if name == CAPABILITY else "extended attributes"
