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
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, cast

from agent.platforms import attributes, extended, locks, paths
from agent.platforms.attributes import Marks
from libs.shared.entries import MAX_TIME_NS

if sys.platform == "win32":
    from agent.platforms import calls

_SYSTEM = "windows" if os.name == "nt" else "linux"
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_UNFINISHED = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_NEW = _UNFINISHED | os.O_CREAT | os.O_EXCL
_LINK_MODE = stat.S_IFLNK | 0o777
# Symlinks and junctions; other marks (deduplicated, in the cloud) are on files as any other.
_LINK_TAGS = frozenset({0xA000000C, 0xA0000003})
# What times are counted in; what is finer is cut off.
TICK_NS = 100 if _SYSTEM == "windows" else 1
_LOCK_NAME = b".coffre-restore-lock"

_SEPARATORS = frozenset(b"\\/:")

_numbers = itertools.count(1 << 40)
_open: dict[int, str] = {}
_locks: dict[int, int] = {}


def _number(path: str) -> int:
    number = next(_numbers)
    _open[number] = path
    return number


def _at(name: bytes, folder: int) -> str:
    if _SYSTEM == "windows" and not _SEPARATORS.isdisjoint(name):
        # It would lead out of the folder.
        raise OSError(errno.EINVAL, "Windows has no such names", os.fsdecode(name))
    return os.path.join(_open[folder], _text(name))


def _text(name: bytes) -> str:
    try:
        return os.fsdecode(name)
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ)) from error


def mode_of(status: os.stat_result) -> int:
    """st_mode, but that a junction is a symlink: it leads elsewhere."""
    if getattr(status, "st_reparse_tag", 0) in _LINK_TAGS:
        return _LINK_MODE
    return status.st_mode


def fields(status: os.stat_result) -> tuple[int, int, int, int, int, int, int]:
    """st_mode, inode, size, mtime in ns, ctime in ns, uid, gid.

    On Windows inode is 0, for not all file systems have one that stays.
    """
    return (
        mode_of(status),
        0 if _SYSTEM == "windows" else status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        # Windows' own year 30828 is more than the wire's 64 bits hold.
        min(max(status.st_ctime_ns, -MAX_TIME_NS), MAX_TIME_NS),
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
    named = paths.system_path(os.fsdecode(path), _SYSTEM)
    # What a shadow copy shows has no name but this one.
    is_shown = named.startswith(paths.SHOWN)
    return _checked(named if is_shown else os.path.realpath(named, strict=True))


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
    """Forget a folder, and unlock it."""
    path = _open.pop(folder, None)
    lock = _locks.pop(folder, None)
    if path is not None and lock is not None:
        os.close(lock)
        with suppress(OSError):
            os.unlink(os.path.join(path, os.fsdecode(_LOCK_NAME)))


def status(folder: int) -> os.stat_result:
    """The state of the folder itself."""
    return os.lstat(_open[folder])


def status_at(path: bytes) -> os.stat_result:
    """The state of what lies at a path of the tree, symlinks followed."""
    return os.stat(paths.system_path(os.fsdecode(path), _SYSTEM))


def status_in(name: bytes, folder: int) -> os.stat_result:
    """The state of what is in it, symlinks not followed."""
    path = _at(name, folder)
    status = os.lstat(path)
    if sys.platform == "win32":
        return _Changed(status, calls.changed_ns(path))
    return status


class _Changed(os.stat_result if TYPE_CHECKING else object):  # type: ignore[misc]
    """A state with another ctime: Python's is when a file was made."""

    __slots__ = ("_status", "st_ctime_ns")

    def __init__(self, status: os.stat_result, changed_ns: int) -> None:
        self._status, self.st_ctime_ns = status, changed_ns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._status, name)


def scan(folder: int) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """What is in it."""
    if sys.platform == "win32":
        # os.scandir doesn't tell when anything but a content changed.
        return cast("AbstractContextManager[Iterator[os.DirEntry[str]]]", calls.scan(_open[folder]))
    return os.scandir(_open[folder])


def open_file(name: bytes, folder: int) -> int:
    """Open a file to be read."""
    path = _at(name, folder)
    if not stat.S_ISREG(mode_of(os.lstat(path))):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    if sys.platform == "win32":
        return calls.open_to_read(path)
    return os.open(path, _READ)


def may_read(name: bytes, folder: int) -> bool:
    """Could it be opened?"""
    return os.access(_at(name, folder), os.R_OK)


def read_link(name: bytes, folder: int) -> bytes:
    """Where a symlink or a junction leads."""
    return os.fsencode(os.readlink(_at(name, folder)))


def again(folder: int) -> int:
    """One more handle of an open folder, to be closed by itself."""
    return _number(_open[folder])


def handed(folder: int) -> tuple[str, tuple[int, ...]]:
    """(what a process that we start takes the folder by, descriptors that it must inherit)."""
    return _open[folder], ()


def taken(handle: int | str) -> int:
    """The folder that the process that started us handed on."""
    return _checked(str(handle))


def try_lock(folder: int) -> bool:
    """Lock it until it is closed or this process ends, by a file in it; False if others have."""
    descriptor = os.open(_at(_LOCK_NAME, folder), _UNFINISHED | os.O_CREAT, 0o600)
    if not locks.try_lock(descriptor):
        os.close(descriptor)
        return False
    _locks[folder] = descriptor
    return True


def new_file(name: bytes, folder: int, mode: int = 0o600) -> int:
    """Make a file, and open it to be written; FileExistsError if something is there."""
    return os.open(_at(name, folder), _NEW, mode)


def open_unfinished(name: bytes, folder: int) -> int:
    """Open a file that we made before, to read and to write."""
    return os.open(_at(name, folder), _UNFINISHED)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read at a place of a file."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> int:
    """Write at a place of a file; how much was written."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, content)


def finish_file(
    descriptor: int,
    name: bytes,
    folder: int,
    marks: Marks,
) -> Collection[str]:
    """Give a file its marks, and close it; which of them were refused."""
    # First: what is written last is the time, and it is written when the file is closed.
    os.close(descriptor)
    return mend_file(name, folder, marks)


def mend_file(name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Give a file that is there its marks; which of them were refused."""
    return attributes.give(_at(name, folder), marks)


def mend_link(name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Give a symlink, a FIFO or a device that is there its marks; which of them were refused."""
    path = _at(name, folder)
    return attributes.give_link(path, path, marks)


def finish_folder(folder: int, marks: Marks) -> Collection[str]:
    """Give a folder its marks; which of them were refused."""
    return attributes.give(_open[folder], marks)


def make_link(target: bytes, name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Make a symlink, with its marks where symlinks have any; which of them were refused."""
    path = _at(name, folder)
    os.symlink(_text(target), path)
    return attributes.give_link(path, path, marks)


def make_special(
    kind: int, device: tuple[int, int], name: bytes, folder: int, marks: Marks
) -> Collection[str]:
    """Make a FIFO or a device with its marks; which of them were refused."""
    path = _at(name, folder)
    if sys.platform == "win32":
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
    os.mknod(path, kind | 0o600, os.makedev(*device))
    refused = attributes.give_link(path, path, marks)
    os.chmod(path, marks.mode)
    return refused


def link_file(name: bytes, folder: int, new: bytes, other: int) -> None:
    """Give a file one more name, in another folder maybe."""
    os.link(_at(name, folder), _at(new, other))


def attributes_of(name: bytes, folder: int) -> dict[bytes, bytes]:
    """The attributes of what is in it, a symlink's own; of the folder itself for no name."""
    return extended.read(_at(name, folder) if name else _open[folder])


def attributes_at(path: bytes) -> dict[bytes, bytes]:
    """The attributes of what lies at a path of the tree, symlinks followed."""
    real = os.path.realpath(paths.system_path(os.fsdecode(path), _SYSTEM))
    return extended.read(real)


def open_up(folder: int) -> None:
    """Let us make files in a folder of our own that may not be written; Windows' always may."""
    path = _open[folder]
    mode = os.lstat(path)
    if _SYSTEM != "windows" and mode.st_mode & 0o300 != 0o300 and os.access(path, os.R_OK):
        with suppress(OSError):
            os.chmod(path, stat.S_IMODE(mode.st_mode) | 0o300)


def make_folder(name: bytes, folder: int) -> None:
    """Make a folder, ours alone for now."""
    os.mkdir(_at(name, folder), 0o700)


def remove(name: bytes, folder: int) -> None:
    """Remove what is no folder, be it marked as read-only."""
    path = _at(name, folder)
    _make_writable(path)
    os.unlink(path)


def rename(name: bytes, new: bytes, folder: int) -> None:
    """Give it another name in the same folder, in the place of what is there."""
    path = _at(new, folder)
    _make_writable(path)
    os.replace(_at(name, folder), path)


def _make_writable(path: str) -> None:
    """Take the mark from a file by which Windows refuses to remove it."""
    if _SYSTEM == "windows":
        with suppress(OSError):
            if stat.S_ISREG(mode_of(os.lstat(path))):
                os.chmod(path, stat.S_IWRITE)
