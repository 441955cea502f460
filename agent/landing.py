"""Where a restore writes: below one folder, by descriptors, following no symlink on the way.

Each file is written under another name and renamed when it is whole, so that a cut restore leaves
nothing that looks finished.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from libs.shared.entries import Entry

MAX_OPEN_FOLDERS = 128
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
IS_ROOT = os.geteuid() == 0


class InTheWay(Exception):
    """Something else is where an entry should go; says what."""


class Folder:
    """An open folder; closed with its last reference.

    is_fresh: we made it, so nothing can be in the way.
    """

    def __init__(self, descriptor: int, is_fresh: bool) -> None:
        self.descriptor = descriptor
        self.is_fresh = is_fresh

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)


class Landing:
    """The folder restored into; may be used from several threads."""

    def __init__(self, root: Path, overwrite: bool) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = Folder(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), False)
        self._overwrite = overwrite
        self._lock = threading.Lock()
        self._open: OrderedDict[bytes, Folder] = OrderedDict()
        self._made: set[bytes] = set()

    def folder(self, path: bytes) -> Folder:
        """A folder below the root, made where it isn't there; InTheWay where it can't be."""
        with self._lock:
            return self._folder(path)

    def make_folder(self, parent: bytes, name: bytes) -> None:
        """Make a folder, or find it there."""
        self.folder(parent + b"/" + name if parent else name)

    def is_there(self, folder: Folder, entry: Entry) -> bool:
        """Is this very entry there already? InTheWay if another one is, unless we overwrite."""
        if folder.is_fresh:
            return False
        try:
            status = os.stat(entry.name, dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            raise InTheWay("a folder of that name is in the way")
        if entry.kind == "f" and stat.S_ISREG(status.st_mode):
            if status.st_size == entry.size and status.st_mtime_ns == entry.mtime_ns:
                return True
        elif (
            entry.kind == "l"
            and stat.S_ISLNK(status.st_mode)
            and os.readlink(entry.name, dir_fd=folder.descriptor) == entry.target
        ):
            return True
        if not self._overwrite:
            raise InTheWay("something else is there already; --overwrite replaces it")
        return False

    def begin_file(self, folder: Folder, name: bytes) -> int:
        """A descriptor to write a file's content to, under its passing name."""
        passing = passing_name(name)
        try:
            return os.open(passing, _FILE_FLAGS, 0o600, dir_fd=folder.descriptor)
        except FileExistsError:
            os.unlink(passing, dir_fd=folder.descriptor)
            return os.open(passing, _FILE_FLAGS, 0o600, dir_fd=folder.descriptor)

    def end_file(self, folder: Folder, descriptor: int, entry: Entry) -> None:
        """Give a written file its owner, mode, time and name, and close it."""
        try:
            if IS_ROOT:
                os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)
        _rename(folder, entry.name)

    def drop_file(self, folder: Folder, descriptor: int, name: bytes) -> None:
        """Forget a file that could not be written to its end."""
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(passing_name(name), dir_fd=folder.descriptor)

    def make_symlink(self, folder: Folder, entry: Entry) -> None:
        """Make a symlink with its owner and time; its target is not looked at."""
        passing = passing_name(entry.name)
        place = folder.descriptor
        with suppress(FileNotFoundError):
            os.unlink(passing, dir_fd=place)
        os.symlink(entry.target, passing, dir_fd=place)
        if IS_ROOT:
            os.chown(passing, entry.uid, entry.gid, dir_fd=place, follow_symlinks=False)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(passing, ns=times, dir_fd=place, follow_symlinks=False)
        _rename(folder, entry.name)

    def finish_folder(self, path: bytes, entry: Entry) -> None:
        """Give a folder its owner, mode and time, once nothing more is written in it."""
        folder = self.folder(path)
        if IS_ROOT:
            os.fchown(folder.descriptor, entry.uid, entry.gid)
        os.fchmod(folder.descriptor, entry.mode)
        os.utime(folder.descriptor, ns=(entry.mtime_ns, entry.mtime_ns))

    def _folder(self, path: bytes) -> Folder:
        if not path:
            return self._root
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        missing: list[tuple[bytes, bytes]] = []
        parent = path
        found = None
        while parent and found is None:
            here = parent
            parent, _, name = parent.rpartition(b"/")
            missing.append((here, name))
            found = self._open.get(parent)
        if found is None:
            found = self._root
        for here, name in reversed(missing):
            found = self._step(found, here, name)
            self._open[here] = found
            if len(self._open) > MAX_OPEN_FOLDERS:
                self._open.popitem(last=False)
        return found

    def _step(self, parent: Folder, path: bytes, name: bytes) -> Folder:
        """Open a folder in an open one, never through a symlink."""
        is_fresh = path in self._made
        if not is_fresh:
            is_fresh = self._make(parent, path, name)
        try:
            return Folder(os.open(name, _FOLDER_FLAGS, dir_fd=parent.descriptor), is_fresh)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise InTheWay("something that is no folder is in the way") from error
            raise

    def _make(self, parent: Folder, path: bytes, name: bytes) -> bool:
        place = parent.descriptor
        try:
            os.mkdir(name, 0o700, dir_fd=place)
        except FileExistsError:
            status = os.stat(name, dir_fd=place, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) or not self._overwrite:
                return False
            os.unlink(name, dir_fd=place)
            os.mkdir(name, 0o700, dir_fd=place)
        self._made.add(path)
        return True


def passing_name(name: bytes) -> bytes:
    """The name of a file while it is written: short, and the same at each try."""
    return b".coffre-restore-" + blake3(name).hexdigest(length=8).encode()


def _rename(folder: Folder, name: bytes) -> None:
    place = folder.descriptor
    os.rename(passing_name(name), name, src_dir_fd=place, dst_dir_fd=place)
