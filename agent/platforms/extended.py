"""What the system keeps of an entry beside its mode.

On Linux extended attributes and ACLs; on Windows owner, group, DACL and alternate streams. On a Mac
there is nothing that is read, and nothing can be given.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from libs.shared.attributes import (
    ACL_ACCESS,
    ACL_DEFAULT,
    OF_WINDOWS,
    WINDOWS_SECURITY,
    WINDOWS_STREAM,
)

if sys.platform == "win32":
    from agent.platforms import calls

ACLS = (ACL_ACCESS, ACL_DEFAULT)
RIGHTS = (*ACLS, WINDOWS_SECURITY)
"""What says who may do what: a mode means nothing without it, and it is given last."""
OWNERS_OF_WINDOWS = "owners of Windows"
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
    if sys.platform == "win32":
        return calls.read(target)
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
            if not _set(target, name, value):
                refused.add(OWNERS_OF_WINDOWS)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            refused.add(kind_of(name))
    return refused


def _set(target: int | bytes | str, name: bytes, value: bytes) -> bool:
    """False if only a part of it could be set."""
    if name.startswith(OF_WINDOWS) and sys.platform == "win32":
        assert not isinstance(target, int)
        path = os.fsdecode(target)
        if name == WINDOWS_SECURITY:
            return calls.give_security(path, value)
        calls.write_stream(path, os.fsdecode(name.removeprefix(WINDOWS_STREAM)), value)
        return True
    if sys.platform != "linux" or name.startswith(OF_WINDOWS):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
    return True


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
    if name == WINDOWS_SECURITY:
        return "owners and access lists of Windows"
    if name.startswith(WINDOWS_STREAM):
        return "alternate streams of Windows"
    return "capabilities" if name == CAPABILITY else "extended attributes"
