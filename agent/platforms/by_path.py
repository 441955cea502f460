"""Folders reached by their paths, where there are no descriptors for them. Windows.

A folder that is open is a number of ours that stands for its path.
What the numbers of `by_descriptor` guarantee, this can't: that nobody swaps a folder on the way.
Symlinks and junctions are looked for before each step instead.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress

from agent.platforms import paths

_SYSTEM = "windows" if os.name == "nt" else "linux"
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
_NEW |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_LINK_MODE = stat.S_IFLNK | 0o777
# Symlinks and junctions; other marks (deduplicated, in the cloud) are on files as any other.
_LINK_TAGS = frozenset({0xA000000C, 0xA0000003})
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

_numbers = itertools.count(1 << 40)
_open: dict[int, str] = {}
_lock = threading.Lock()


def _number(path: str) -> int:
    number = next(_numbers)
    _open[number] = path
    return number


def _at(name: bytes, folder: int) -> str:
    return os.path.join(_open[folder], os.fsdecode(name))


def mode_of(status: os.stat_result) -> int:
    """st_mode, but that a junction is a symlink: it leads elsewhere."""
    if getattr(status, "st_reparse_tag", 0) in _LINK_TAGS:
        return _LINK_MODE
    return status.st_mode


def fields(status: os.stat_result) -> tuple[int, int, int, int, int, int, int]:
    """st_mode, inode, size, mtime in ns, ctime in ns, uid, gid."""
    return (
        mode_of(status),
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_uid,
        status.st_gid,
    )


def _checked(path: str) -> int:
    status = os.lstat(path)
    kind = mode_of(status)
    if stat.S_ISLNK(kind):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    if not stat.S_ISDIR(kind):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return _number(path)


def open_absolute(path: bytes) -> int:
    """Open a folder of the tree; no symlink at its end."""
    return _checked(paths.system_path(os.fsdecode(path), _SYSTEM))


def open_named(path: bytes) -> int:
    """Open a folder that a person named: its symlinks are followed."""
    real = os.path.realpath(paths.system_path(os.fsdecode(path), _SYSTEM), strict=True)
    return _checked(real)


def open_target(path: str) -> int:
    """Open the folder that a restore goes to."""
    absolute = os.path.realpath(path, strict=True)
    if _SYSTEM == "windows":
        absolute = paths.system_path(paths.plan_folder(absolute, _SYSTEM)[1:], _SYSTEM)
    return _checked(absolute)


def open_in(name: bytes, folder: int) -> int:
    """Open a folder in another."""
    return _checked(_at(name, folder))


def close(folder: int) -> None:
    """Forget a folder."""
    _open.pop(folder, None)


def status(folder: int) -> os.stat_result:
    """The state of the folder itself."""
    return os.lstat(_open[folder])


def status_at(path: bytes) -> os.stat_result:
    """The state of what lies at a path of the tree, symlinks followed."""
    return os.stat(paths.system_path(os.fsdecode(path), _SYSTEM))


def status_in(name: bytes, folder: int) -> os.stat_result:
    """The state of what is in it, symlinks not followed."""
    return os.lstat(_at(name, folder))


def scan(folder: int) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """What is in it."""
    return os.scandir(_open[folder])


def open_file(name: bytes, folder: int) -> int:
    """Open a file to be read."""
    path = _at(name, folder)
    if not stat.S_ISREG(mode_of(os.lstat(path))):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return os.open(path, _READ)


def may_read(name: bytes, folder: int) -> bool:
    """Could it be opened?"""
    return os.access(_at(name, folder), os.R_OK)


def read_link(name: bytes, folder: int) -> bytes:
    """Where a symlink or a junction leads."""
    return os.fsencode(os.readlink(_at(name, folder)))


def new_file(name: bytes, folder: int) -> int:
    """Make a file, readable by us alone; FileExistsError if something is there."""
    return os.open(_at(name, folder), _NEW, 0o600)


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> int:
    """Write at a place of a file; how much was written."""
    with _lock:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, content)


def finish_file(
    descriptor: int, name: bytes, folder: int, mode: int, mtime_ns: int, owner: tuple[int, int]
) -> None:
    """Give a new file its mode and time, and close it."""
    os.close(descriptor)
    path = _at(name, folder)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    _own(path, owner)
    os.chmod(path, mode)


def finish_folder(folder: int, mode: int, mtime_ns: int, owner: tuple[int, int]) -> None:
    """Give a folder its mode and time."""
    path = _open[folder]
    _own(path, owner)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def make_link(
    target: bytes, name: bytes, folder: int, mtime_ns: int, owner: tuple[int, int]
) -> None:
    """Make a symlink; on Windows that needs a right that few have, and it says so."""
    path = _at(name, folder)
    os.symlink(os.fsdecode(target), path)
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
    _own(path, owner)


def _own(path: str, owner: tuple[int, int]) -> None:
    if IS_ROOT:
        os.chown(path, *owner, follow_symlinks=False)


def make_folder(name: bytes, folder: int) -> None:
    """Make a folder, ours alone for now."""
    os.mkdir(_at(name, folder), 0o700)


def remove(name: bytes, folder: int) -> None:
    """Remove what is no folder, be it marked as read-only."""
    path = _at(name, folder)
    if _SYSTEM == "windows":
        with suppress(OSError):
            os.chmod(path, stat.S_IWRITE)
    os.unlink(path)


def rename(name: bytes, new: bytes, folder: int) -> None:
    """Give it another name in the same folder, in the place of what is there."""
    os.replace(_at(name, folder), _at(new, folder))
