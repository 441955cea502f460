"""Where a restore writes: below one folder, by descriptors, following no symlink on the way.

A cut restore leaves nothing that looks finished. In a folder that this restore made, a small file
gets its name at once and is nobody's to read (mode 0200) until it is whole; everywhere else files
are written under a passing name and renamed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from blake3 import blake3

from agent.restore.collisions import InTheWay, is_folded, taken_for_another
from agent.restore.folders import Folder, Folders
from libs.shared.entries import Entry

UNFINISHED_MODE = 0o200
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_ID = stat.S_ISUID | stat.S_ISGID


class Landing:
    """The folder restored into; `root` is its descriptor, which stays the caller's.

    makes_folders: make those that aren't there. `refused` counts what could not be given its
    owner, as only root may, or its mode, as not all file systems keep.
    """

    def __init__(self, root: int, *, overwrite: bool, makes_folders: bool = True) -> None:
        self._folders = Folders(root, overwrite=overwrite, makes_folders=makes_folders)
        self._overwrite = overwrite
        self.refused = 0

    def folder(self, path: bytes, *, is_fresh: bool = False) -> Folder:
        """A folder below the root; InTheWay where it can't be one.

        is_fresh: another process of this restore made it.
        """
        found = self._folders.open(path)
        found.is_fresh = found.is_fresh or is_fresh
        return found

    def make_folder(self, path: bytes) -> None:
        """Have a folder below the root; InTheWay where it can't be one."""
        self._folders.make(path)

    def is_fresh(self, path: bytes) -> bool:
        """Did we make this folder?"""
        return self._folders.has_made(path)

    def is_there(self, folder: Folder, entry: Entry) -> bool:
        """Is this very entry there already? InTheWay if another one is, unless we overwrite."""
        try:
            status = os.stat(entry.name, dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if is_folded(folder.descriptor, entry.name, status):
            raise taken_for_another()
        if is_same(folder.descriptor, entry.name, entry, status):
            return True
        if is_unfinished(status):
            os.unlink(entry.name, dir_fd=folder.descriptor)
            return False
        check_replaceable(status, self._overwrite)
        return False

    def write_whole(self, folder: Folder, entry: Entry, content: bytes) -> None:
        """Write a file of which this is all."""
        name, descriptor = self._begin(folder, entry.name)
        try:
            if content.lstrip(b"\0"):
                write_all(descriptor, content, 0)
            else:
                os.ftruncate(descriptor, len(content))
            self._finish(descriptor, folder, entry)
        except OSError:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(name, dir_fd=folder.descriptor)
            raise
        os.close(descriptor)
        if name != entry.name:
            self._rename(folder, entry.name)

    def begin_growing(self, folder: Folder, entry: Entry) -> bool:
        """Make the passing file that a large file grows in; was one there from an earlier try?"""
        passing = passing_name(entry.name)
        place = folder.descriptor
        try:
            status = os.stat(passing, dir_fd=place, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            is_ours = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if is_ours and status.st_uid == os.geteuid() and status.st_size == entry.size:
                return True
            os.unlink(passing, dir_fd=place)
        descriptor = os.open(passing, _NEW_FLAGS, 0o600, dir_fd=place)
        try:
            os.ftruncate(descriptor, entry.size)
        finally:
            os.close(descriptor)
        return False

    def open_growing(self, folder: Folder, name: bytes) -> int:
        """A descriptor to read and write a large file's pieces."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(passing_name(name), flags, dir_fd=folder.descriptor)

    def end_growing(self, folder: Folder, entry: Entry) -> None:
        """Give a large file that is whole its owner, mode, time and name."""
        descriptor = self.open_growing(folder, entry.name)
        try:
            self._finish(descriptor, None, entry)
        finally:
            os.close(descriptor)
        self._rename(folder, entry.name)

    def drop_growing(self, folder: Folder, name: bytes) -> None:
        """Forget a large file that can't be had whole."""
        with suppress(OSError):
            os.unlink(passing_name(name), dir_fd=folder.descriptor)

    def make_symlink(self, folder: Folder, entry: Entry) -> None:
        """Make a symlink with its owner and time; its target is not looked at."""
        place = folder.descriptor
        name = entry.name if folder.is_fresh else passing_name(entry.name)
        if not folder.is_fresh:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=place)
        try:
            os.symlink(entry.target, name, dir_fd=place)
        except FileExistsError:
            raise taken_for_another() from None
        try:
            os.chown(name, entry.uid, entry.gid, dir_fd=place, follow_symlinks=False)
        except OSError as error:
            self._note_refusal(error)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=place, follow_symlinks=False)
        if name != entry.name:
            self._rename(folder, entry.name)

    def finish_folder(self, path: bytes, entry: Entry) -> None:
        """Give a folder its owner, mode and time, once nothing more is written in it."""
        self._finish(self.folder(path).descriptor, None, entry)

    def _begin(self, folder: Folder, name: bytes) -> tuple[bytes, int]:
        """(name for now, descriptor) of a new file."""
        place = folder.descriptor
        if folder.is_fresh and folder.keeps_modes is not False:
            try:
                descriptor = os.open(name, _NEW_FLAGS, UNFINISHED_MODE, dir_fd=place)
            except FileExistsError:
                raise taken_for_another() from None
            if folder.keeps_modes is None:
                status = os.fstat(descriptor)
                folder.owner = (status.st_uid, status.st_gid)
                folder.keeps_modes = stat.S_IMODE(status.st_mode) == UNFINISHED_MODE
            if folder.keeps_modes:
                return name, descriptor
            os.close(descriptor)
            os.unlink(name, dir_fd=place)
        passing = passing_name(name)
        try:
            return passing, os.open(passing, _NEW_FLAGS, 0o600, dir_fd=place)
        except FileExistsError:
            os.unlink(passing, dir_fd=place)
            return passing, os.open(passing, _NEW_FLAGS, 0o600, dir_fd=place)

    def _finish(self, descriptor: int, folder: Folder | None, entry: Entry) -> None:
        """Owner, time and mode: in this order, for a file is unfinished until it has its mode."""
        mode = entry.mode
        if folder is None or folder.owner != (entry.uid, entry.gid):
            try:
                os.chown(descriptor, entry.uid, entry.gid)
            except OSError as error:
                self._note_refusal(error)
                # It would be ours to execute with our rights, not its owner's with theirs.
                mode &= ~_SET_ID
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        try:
            os.chmod(descriptor, mode)
        except OSError as error:
            self._note_refusal(error)

    def _note_refusal(self, error: OSError) -> None:
        # EINVAL: a number that this system, or the user namespace of a container, doesn't know.
        if error.errno not in (errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise error
        self.refused += 1

    def _rename(self, folder: Folder, name: bytes) -> None:
        """Give a whole file its name, unless something has come there meanwhile."""
        place = folder.descriptor
        passing = passing_name(name)
        try:
            self._check_free(folder, name)
            os.rename(passing, name, src_dir_fd=place, dst_dir_fd=place)
        except (OSError, InTheWay):
            with suppress(OSError):
                os.unlink(passing, dir_fd=place)
            raise

    def _check_free(self, folder: Folder, name: bytes) -> None:
        try:
            status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return
        if folder.is_fresh or is_folded(folder.descriptor, name, status):
            raise taken_for_another()
        check_replaceable(status, self._overwrite)


def is_same(folder: int, path: bytes, entry: Entry, status: os.stat_result) -> bool:
    """Is what was found at a path below a folder this very entry?"""
    if entry.kind == "f" and stat.S_ISREG(status.st_mode):
        is_alike = status.st_size == entry.size and status.st_mtime_ns == entry.mtime_ns
        return is_alike and (entry.mode == UNFINISHED_MODE or not is_unfinished(status))
    return (
        entry.kind == "l"
        and stat.S_ISLNK(status.st_mode)
        and os.readlink(path, dir_fd=folder) == entry.target
    )


def is_unfinished(status: os.stat_result) -> bool:
    """Is this a file that a cut restore was about to write?"""
    return (
        stat.S_ISREG(status.st_mode)
        and stat.S_IMODE(status.st_mode) == UNFINISHED_MODE
        and status.st_nlink == 1
        and status.st_uid == os.geteuid()
    )


def check_replaceable(status: os.stat_result, overwrite: bool) -> None:
    """InTheWay if what was found stays."""
    if stat.S_ISDIR(status.st_mode):
        raise InTheWay("a folder of that name is in the way")
    if not overwrite:
        raise InTheWay("something else is there already; --overwrite replaces it")


def passing_name(name: bytes) -> bytes:
    """The name of a file while it is written: short, and the same at each try."""
    return b".coffre-restore-" + blake3(name).hexdigest(length=8).encode()


def write_all(descriptor: int, content: bytes, offset: int) -> None:
    """Write at a place, however often the system wants to be asked."""
    written = os.pwrite(descriptor, content, offset)
    while written < len(content):
        written += os.pwrite(descriptor, memoryview(content)[written:], offset + written)
