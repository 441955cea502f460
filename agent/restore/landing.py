"""Where a restore writes: below one folder, following no symlink on the way.

A cut restore leaves nothing that looks finished. In a folder that this restore made, a small file
gets its name at once and is nobody's to read (mode 0200) until it is whole; everywhere else files
are written under a passing name and renamed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from blake3 import blake3

from agent.platforms import ME, folders
from agent.restore.collisions import InTheWay, is_folded, taken_for_another
from agent.restore.folders import Folder, Folders
from libs.shared.entries import Entry
from libs.shared.reasons import Reason

UNFINISHED_MODE = 0o200


class Landing:
    """The folder restored into; `root` stays the caller's.

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
            status = folders.status_in(entry.name, folder.number)
        except FileNotFoundError:
            return False
        if is_folded(folder.number, entry.name, status):
            raise taken_for_another()
        if is_same(folder.number, entry, status):
            return True
        if is_unfinished(status):
            folders.remove(entry.name, folder.number)
            return False
        check_replaceable(status, self._overwrite)
        return False

    def write_whole(self, folder: Folder, entry: Entry, content: bytes) -> None:
        """Write a file of which this is all."""
        name, descriptor = self._begin(folder, entry.name)
        try:
            _fill(descriptor, content)
            owner = (entry.uid, entry.gid)
            self.refused += folders.finish_file(
                descriptor,
                name,
                folder.number,
                entry.mode,
                entry.mtime_ns,
                None if folder.owner == owner else owner,
            )
        except OSError:
            with suppress(OSError):
                folders.remove(name, folder.number)
            raise
        if name != entry.name:
            self._rename(folder, entry)

    def begin_growing(self, folder: Folder, entry: Entry) -> bool:
        """Make the passing file that a large file grows in; was one there from an earlier try?"""
        passing = passing_name(entry.name)
        place = folder.number
        try:
            status = folders.status_in(passing, place)
        except FileNotFoundError:
            pass
        else:
            is_ours = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if is_ours and status.st_uid == ME and status.st_size == entry.size:
                return True
            folders.remove(passing, place)
        descriptor = folders.new_file(passing, place)
        try:
            os.ftruncate(descriptor, entry.size)
        finally:
            os.close(descriptor)
        return False

    def open_growing(self, folder: Folder, name: bytes) -> int:
        """A descriptor to read and write a large file's pieces."""
        return folders.open_unfinished(passing_name(name), folder.number)

    def end_growing(self, folder: Folder, entry: Entry) -> None:
        """Give a large file that is whole its owner, mode, time and name."""
        self.refused += folders.finish_file(
            self.open_growing(folder, entry.name),
            passing_name(entry.name),
            folder.number,
            entry.mode,
            entry.mtime_ns,
            (entry.uid, entry.gid),
        )
        self._rename(folder, entry)

    def drop_growing(self, folder: Folder, name: bytes) -> None:
        """Forget a large file that can't be had whole."""
        with suppress(OSError):
            folders.remove(passing_name(name), folder.number)

    def make_symlink(self, folder: Folder, entry: Entry) -> None:
        """Make a symlink with its owner and time; its target is not looked at."""
        place = folder.number
        name = entry.name if folder.is_fresh else passing_name(entry.name)
        if not folder.is_fresh:
            with suppress(FileNotFoundError):
                folders.remove(name, place)
        owner = (entry.uid, entry.gid)
        try:
            self.refused += folders.make_link(entry.target, name, place, entry.mtime_ns, owner)
        except FileExistsError:
            raise taken_for_another() from None
        if name != entry.name:
            self._rename(folder, entry)

    def finish_folder(self, path: bytes, entry: Entry) -> None:
        """Give a folder its owner, mode and time, once nothing more is written in it."""
        owner = (entry.uid, entry.gid)
        place = self.folder(path).number
        self.refused += folders.finish_folder(place, entry.mode, entry.mtime_ns, owner)

    def _begin(self, folder: Folder, name: bytes) -> tuple[bytes, int]:
        """(name for now, descriptor) of a new file."""
        place = folder.number
        if folder.is_fresh and folder.keeps_modes is not False:
            try:
                descriptor = folders.new_file(name, place, UNFINISHED_MODE)
            except FileExistsError:
                raise taken_for_another() from None
            if folder.keeps_modes is None:
                status = os.fstat(descriptor)
                folder.owner = (status.st_uid, status.st_gid)
                folder.keeps_modes = stat.S_IMODE(status.st_mode) == UNFINISHED_MODE
            if folder.keeps_modes:
                return name, descriptor
            os.close(descriptor)
            folders.remove(name, place)
        passing = passing_name(name)
        try:
            return passing, folders.new_file(passing, place)
        except FileExistsError:
            folders.remove(passing, place)
            return passing, folders.new_file(passing, place)

    def _rename(self, folder: Folder, entry: Entry) -> None:
        """Give a whole file its name, unless something else has come there meanwhile."""
        place, name = folder.number, entry.name
        passing = passing_name(name)
        try:
            self._check_free(folder, entry)
            folders.rename(passing, name, place)
        except (OSError, InTheWay):
            with suppress(OSError):
                folders.remove(passing, place)
            raise

    def _check_free(self, folder: Folder, entry: Entry) -> None:
        try:
            status = folders.status_in(entry.name, folder.number)
        except FileNotFoundError:
            return
        if folder.is_fresh or is_folded(folder.number, entry.name, status):
            raise taken_for_another()
        # A worker of a restore that was killed may have lived a moment longer than its lock.
        if not is_same(folder.number, entry, status):
            check_replaceable(status, self._overwrite)


def is_same(folder: int, entry: Entry, status: os.stat_result) -> bool:
    """Is what was found in a folder under its name this very entry?"""
    if entry.kind == "f" and stat.S_ISREG(status.st_mode):
        lag_ns = entry.mtime_ns - status.st_mtime_ns
        is_alike = status.st_size == entry.size and 0 <= lag_ns < folders.TICK_NS
        return is_alike and (entry.mode == UNFINISHED_MODE or not is_unfinished(status))
    return (
        entry.kind == "l"
        and stat.S_ISLNK(status.st_mode)
        and folders.read_link(entry.name, folder) == entry.target
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


def passing_name(name: bytes) -> bytes:
    """The name of a file while it is written: short, and the same at each try."""
    return b".coffre-restore-" + blake3(name).hexdigest(length=8).encode()


def write_all(descriptor: int, content: bytes, offset: int) -> None:
    """Write at a place, however often the system wants to be asked."""
    written = folders.write_at(descriptor, content, offset)
    while written < len(content):
        rest = memoryview(content)[written:]
        written += folders.write_at(descriptor, rest, offset + written)


def _fill(descriptor: int, content: bytes) -> None:
    """Write all of a new file; closes it if that can't be."""
    try:
        if content.lstrip(b"\0"):
            write_all(descriptor, content, 0)
        else:
            os.ftruncate(descriptor, len(content))
    except OSError:
        os.close(descriptor)
        raise
