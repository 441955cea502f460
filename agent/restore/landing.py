"""Where a restore writes: below one folder, following no symlink on the way.

A cut restore leaves nothing that looks finished. In a folder that this restore made, a small file
gets its name at once and is nobody's to read (mode 0200) until it is whole; everywhere else files
are written under a passing name and renamed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress

from blake3 import blake3

from agent.platforms import ME, folders
from agent.platforms.attributes import marks_of
from agent.restore.collisions import InTheWay, is_folded, taken_for_another
from agent.restore.folders import Folder, Folders, OnReplaced
from agent.restore.sameness import (
    SPECIALS,
    UNFINISHED_MODE,
    check_replaceable,
    has_attributes,
    is_same,
    is_unfinished,
)
from agent.restore.writing import fill, write_all
from libs.shared.entries import Entry
from libs.shared.packs import is_named
from libs.shared.restores import PlacedChunk

LINKS = "names of one file"

_COPIED_BYTES = 1024 * 1024
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EACCES}
)


class Landing:
    """The folder restored into; `root` stays the caller's.

    makes_folders: make those that aren't there. on_replaced: told of the path of what was there
    in the place of a folder, and is gone. `refused` counts, for each kind of marks, what could not
    be given them: only root may give owners, and not all file systems keep all.
    """

    def __init__(
        self,
        root: int,
        *,
        overwrite: bool,
        makes_folders: bool = True,
        on_replaced: OnReplaced | None = None,
    ) -> None:
        self._folders = Folders(
            root, overwrite=overwrite, makes_folders=makes_folders, on_replaced=on_replaced
        )
        self._overwrite = overwrite
        self.refused: Counter[str] = Counter()

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
        """Is this very entry there already? InTheWay if another one is, unless we overwrite.

        One that is there gets its owner, mode and attributes, should it have others.
        """
        try:
            status = folders.status_in(entry.name, folder.number)
        except FileNotFoundError:
            return False
        if is_folded(folder.number, entry.name, status):
            raise taken_for_another()
        if is_same(folder.number, entry, status):
            self._mend(folder, entry, status)
            return True
        if is_unfinished(status):
            folders.remove(entry.name, folder.number)
            return False
        check_replaceable(status, self._overwrite)
        return False

    def _mend(self, folder: Folder, entry: Entry, status: os.stat_result) -> None:
        place, is_owned = folder.number, (status.st_uid, status.st_gid) == (entry.uid, entry.gid)
        marks = marks_of(entry, owned=is_owned, heir=True)
        if entry.kind == "f":
            is_marked = is_owned and stat.S_IMODE(status.st_mode) == entry.mode
            if not is_marked or not has_attributes(entry, folders.attributes_of(entry.name, place)):
                self.refused.update(folders.mend_file(entry.name, place, marks))
        elif not is_owned:
            self.refused.update(folders.mend_link(entry.name, place, marks))

    def holds(
        self, folder: Folder, entry: Entry, found: Iterable[PlacedChunk], keys: Sequence[bytes]
    ) -> bool:
        """Does the file that is there consist of these chunks?"""
        try:
            descriptor = folders.open_file(entry.name, folder.number)
        except PermissionError:
            return False
        try:
            offset = 0
            for place in found:
                content = folders.read_at(descriptor, place.size, offset)
                if not is_named(content, place.chunk_id, keys):
                    return False
                offset += place.size
            return True
        finally:
            os.close(descriptor)

    def write_whole(self, folder: Folder, entry: Entry, content: bytes) -> None:
        """Write a file of which this is all."""
        name, descriptor = self._begin(folder, entry.name)
        try:
            fill(descriptor, content)
            is_owned = folder.owner == (entry.uid, entry.gid)
            marks = marks_of(entry, owned=is_owned, heir=folder.is_heir)
            self.refused.update(folders.finish_file(descriptor, name, folder.number, marks))
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
        descriptor = self.open_growing(folder, entry.name)
        marks = marks_of(entry, heir=folder.is_heir)
        passing = passing_name(entry.name)
        self.refused.update(folders.finish_file(descriptor, passing, folder.number, marks))
        self._rename(folder, entry)

    def drop_growing(self, folder: Folder, name: bytes) -> None:
        """Forget a large file that can't be had whole."""
        with suppress(OSError):
            folders.remove(passing_name(name), folder.number)

    def make(self, folder: Folder, entry: Entry) -> None:
        """Make a symlink, whose target is not looked at, a FIFO or a device."""
        place = folder.number
        name = entry.name if folder.is_fresh else passing_name(entry.name)
        if not folder.is_fresh:
            with suppress(FileNotFoundError):
                folders.remove(name, place)
        try:
            self.refused.update(self._make(entry, name, place))
        except FileExistsError:
            raise taken_for_another() from None
        if name != entry.name:
            self._rename(folder, entry)

    def _make(self, entry: Entry, name: bytes, place: int) -> Iterable[str]:
        marks = marks_of(entry)
        if entry.kind == "l":
            return folders.make_link(entry.target, name, place, marks)
        major, _, minor = (entry.target or b"0:0").partition(b":")
        return folders.make_special(
            SPECIALS[entry.kind], (int(major), int(minor)), name, place, marks
        )

    def link(self, first: bytes, folder: Folder, entry: Entry) -> bool:
        """Make a further name of a file that was restored; False if it is there already.

        Where the target knows no such names, it becomes a copy, which counts as refused.
        """
        parent, _, name = first.rpartition(b"/")
        source = self.folder(parent)
        status = folders.status_in(name, source.number)
        try:
            found = folders.status_in(entry.name, folder.number)
        except FileNotFoundError:
            pass
        else:
            if (found.st_ino, found.st_dev) == (status.st_ino, status.st_dev):
                return False
            if is_folded(folder.number, entry.name, found):
                raise taken_for_another()
            if is_same(folder.number, entry, found) and not self._overwrite:
                self.refused[LINKS] += 1
                return False
            if not is_unfinished(found):
                check_replaceable(found, self._overwrite)
        passing = passing_name(entry.name)
        with suppress(FileNotFoundError):
            folders.remove(passing, folder.number)
        try:
            folders.link_file(name, source.number, passing, folder.number)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.refused[LINKS] += 1
            self._copy(name, source, passing, folder, entry)
        folders.rename(passing, entry.name, folder.number)
        return True

    def _copy(
        self, name: bytes, source: Folder, passing: bytes, folder: Folder, entry: Entry
    ) -> None:
        descriptor = folders.open_file(name, source.number)
        try:
            copy = folders.new_file(passing, folder.number)
            offset = 0
            while piece := folders.read_at(descriptor, _COPIED_BYTES, offset):
                write_all(copy, piece, offset)
                offset += len(piece)
        finally:
            os.close(descriptor)
        marks = marks_of(entry, heir=folder.is_heir)
        self.refused.update(folders.finish_file(copy, passing, folder.number, marks))

    def finish_folder(self, path: bytes, entry: Entry) -> None:
        """Give a folder its owner, mode and time, once nothing more is written in it."""
        place = self.folder(path).number
        self.refused.update(folders.finish_folder(place, marks_of(entry, heir=True)))

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


def passing_name(name: bytes) -> bytes:
    """The name of a file while it is written: short, and the same at each try."""
    return b".coffre-restore-" + blake3(name).hexdigest(length=8).encode()
