"""Folders reached by descriptors: no swap of a path leads elsewhere. Linux, macOS."""

from __future__ import annotations

import operator
import os
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager

from agent.platforms import attributes, extended, locks
from agent.platforms.attributes import Marks

assert sys.platform != "win32"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_QUIET_FILE = _FILE | getattr(os, "O_NOATIME", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
TICK_NS = 1
_PIECE_BYTES = 3000 if sys.platform == "linux" else 900

# st_mode, inode, size, mtime in ns, ctime in ns, uid, gid
fields = operator.attrgetter(
    "st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_uid", "st_gid"
)


def open_absolute(path: bytes) -> int:
    """Open a folder of the tree, however long its path is; no symlink at its end."""
    if len(path) <= _PIECE_BYTES:
        return os.open(b"/" + path, _FOLDER)
    descriptor = os.open(b"/", _ON_THE_WAY)
    try:
        while len(path) > _PIECE_BYTES:
            cut = path.rfind(b"/", 0, _PIECE_BYTES)
            piece, path = path[:cut], path[cut + 1 :]
            following = os.open(piece, _ON_THE_WAY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
        return os.open(path, _FOLDER, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def open_named(path: bytes) -> int:
    """Open a folder that a person named: its symlinks are followed."""
    return os.open(os.path.realpath(b"/" + path), _FOLDER)


def open_target(path: str) -> int:
    """Open the folder that a restore goes to."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_in(name: bytes, folder: int) -> int:
    """Open a folder in another."""
    return os.open(name, _FOLDER, dir_fd=folder)


def close(folder: int) -> None:
    """Forget a folder."""
    os.close(folder)


def status(folder: int) -> os.stat_result:
    """The state of the folder itself."""
    return os.fstat(folder)


def status_at(path: bytes) -> os.stat_result:
    """The state of what lies at a path of the tree, symlinks followed."""
    return os.stat(b"/" + path)


def status_in(name: bytes, folder: int) -> os.stat_result:
    """The state of what is in it, symlinks not followed."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def scan(folder: int) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """What is in it."""
    return os.scandir(folder)


def open_file(name: bytes, folder: int) -> int:
    """Open a file to be read; its access time stays as it is where we may say so."""
    try:
        return os.open(name, _QUIET_FILE, dir_fd=folder)
    except PermissionError:
        # Only a file's owner may leave its access time alone.
        return os.open(name, _FILE, dir_fd=folder)


def may_read(name: bytes, folder: int) -> bool:
    """Could it be opened?"""
    return os.access(name, os.R_OK, dir_fd=folder)


def read_link(name: bytes, folder: int) -> bytes:
    """Where a symlink leads."""
    return os.readlink(name, dir_fd=folder)


def again(folder: int) -> int:
    """One more handle of an open folder, to be closed by itself."""
    return os.dup(folder)


def handed(folder: int) -> tuple[int, tuple[int, ...]]:
    """(what a process that we start takes the folder by, descriptors that it must inherit)."""
    return folder, (folder,)


def taken(handle: int | str) -> int:
    """The folder that the process that started us handed on."""
    return int(handle)


def try_lock(folder: int) -> bool:
    """Lock it until the last process that has it ends; False if others have, and hold it."""
    try:
        return locks.try_lock(folder)
    except OSError:
        # Some network file systems have no locks: then it's the user who must take care.
        return True


def new_file(name: bytes, folder: int, mode: int = 0o600) -> int:
    """Make a file, and open it to be written; FileExistsError if something is there."""
    return os.open(name, _NEW_FILE, mode, dir_fd=folder)


def open_unfinished(name: bytes, folder: int) -> int:
    """Open a file that we made before, to read and to write."""
    return os.open(name, _UNFINISHED_FILE, dir_fd=folder)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read at a place of a file."""
    return os.pread(descriptor, size, offset)


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> int:
    """Write at a place of a file; how much was written."""
    return os.pwrite(descriptor, content, offset)


def finish_file(
    descriptor: int,
    _name: bytes,
    _folder: int,
    marks: Marks,
) -> Collection[str]:
    """Give a file its marks, and close it; which of them were refused."""
    try:
        return attributes.give(descriptor, marks)
    finally:
        os.close(descriptor)


def mend_file(name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Give a file that is there its marks; which of them were refused."""
    try:
        descriptor = open_file(name, folder)
    except PermissionError:
        return {attributes.MODES}
    return finish_file(descriptor, name, folder, marks)


def mend_link(name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Give a symlink, a FIFO or a device that is there its marks; which of them were refused."""
    return attributes.give_link(name, _path(name, folder), marks, folder)


def finish_folder(folder: int, marks: Marks) -> Collection[str]:
    """Give a folder its marks; which of them were refused."""
    return attributes.give(folder, marks)


def make_link(target: bytes, name: bytes, folder: int, marks: Marks) -> Collection[str]:
    """Make a symlink with its marks; which of them were refused."""
    os.symlink(target, name, dir_fd=folder)
    return attributes.give_link(name, _path(name, folder), marks, folder)


def make_special(
    kind: int, device: tuple[int, int], name: bytes, folder: int, marks: Marks
) -> Collection[str]:
    """Make a FIFO or a device with its marks; which of them were refused."""
    os.mknod(name, kind | 0o600, os.makedev(*device), dir_fd=folder)
    # Nobody is in its way: it was made a moment ago, and in place of it no link would be followed.
    refused = attributes.give_link(name, _path(name, folder), marks, folder)
    os.chmod(name, marks.mode, dir_fd=folder)
    return refused


def link_file(name: bytes, folder: int, new: bytes, other: int) -> None:
    """Give a file one more name, in another folder maybe."""
    os.link(name, new, src_dir_fd=folder, dst_dir_fd=other, follow_symlinks=False)


def attributes_of(name: bytes, folder: int) -> dict[bytes, bytes]:
    """The attributes of what is in it, a symlink's own; of the folder itself for no name."""
    return extended.read(_path(name, folder) if name else folder)


def attributes_at(path: bytes) -> dict[bytes, bytes]:
    """The attributes of what lies at a path of the tree, symlinks followed."""
    return extended.read(os.path.realpath(b"/" + path))


def _path(name: bytes, folder: int) -> bytes:
    """What an entry of an open folder is called where no descriptor is taken."""
    return b"/proc/self/fd/%d/%s" % (folder, name)


def open_up(folder: int) -> None:
    """Let us make files in a folder of our own that may not be written."""
    mode = os.fstat(folder)
    if mode.st_mode & 0o300 != 0o300 and mode.st_uid == os.geteuid():
        os.fchmod(folder, stat.S_IMODE(mode.st_mode) | 0o300)


def make_folder(name: bytes, folder: int) -> None:
    """Make a folder, ours alone for now."""
    os.mkdir(name, 0o700, dir_fd=folder)


def remove(name: bytes, folder: int) -> None:
    """Remove what is no folder."""
    os.unlink(name, dir_fd=folder)


def rename(name: bytes, new: bytes, folder: int) -> None:
    """Give it another name in the same folder, in the place of what is there."""
    os.replace(name, new, src_dir_fd=folder, dst_dir_fd=folder)
