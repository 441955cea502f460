"""The folders below a restore's root, opened one in the other and never through a symlink."""

from __future__ import annotations

import errno
import stat
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from agent.platforms import folders
from agent.restore.collisions import NO_FOLDER, InTheWay, is_folded, taken_for_another
from libs.shared.attributes import ACL_DEFAULT

MAX_OPEN_FOLDERS = 128

OnReplaced = Callable[[bytes, bytes], None]
"""Takes the path of what a folder is put in the place of, and where it led if it was a symlink."""


class Folder:
    """An open folder; closed with its last reference.

    is_fresh: we made it, so nothing can be in the way. `owner` is what new files in it get, and
    `keeps_modes` whether its file system does, both unknown before the first.
    """

    __slots__ = ("_heir", "is_fresh", "keeps_modes", "number", "owner")

    def __init__(self, number: int, is_fresh: bool) -> None:
        self.number = number
        self.is_fresh = is_fresh
        self.keeps_modes: bool | None = None
        self.owner = (-1, -1)
        self._heir: bool | None = None

    @property
    def is_heir(self) -> bool:
        """Does it give ACLs of its own to what is made in it?"""
        if self._heir is None:
            self._heir = ACL_DEFAULT in folders.attributes_of(b"", self.number)
        return self._heir

    def __del__(self) -> None:
        with suppress(OSError):
            folders.close(self.number)


class Folders:
    """Folders by path, the last used ones open; makes_folders: make those that aren't there.

    on_replaced: told of the path of what stood in the place of a folder, before it is removed.
    """

    def __init__(
        self,
        root: int,
        *,
        overwrite: bool,
        makes_folders: bool,
        on_replaced: OnReplaced | None = None,
    ) -> None:
        self._on_replaced = on_replaced
        self._root = Folder(folders.again(root), False)
        self._overwrite = overwrite
        self._makes_folders = makes_folders
        self._open: OrderedDict[bytes, Folder] = OrderedDict()
        self._made: set[bytes] = set()

    def open(self, path: bytes) -> Folder:
        """A folder below the root; InTheWay where something else is."""
        if not path:
            return self._root
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        missing: list[tuple[bytes, bytes]] = []
        parent = path
        while parent and found is None:
            here = parent
            parent, _, name = parent.rpartition(b"/")
            missing.append((here, name))
            found = self._open.get(parent)
        if found is None:
            found = self._root
        else:
            self._open.move_to_end(parent)
        for here, name in reversed(missing):
            found = self._step(found, here, name)
            self._open[here] = found
            if len(self._open) > MAX_OPEN_FOLDERS:
                self._open.popitem(last=False)
        return found

    def make(self, path: bytes) -> None:
        """Have a folder below the root, which need not be open for that; InTheWay as above."""
        if path not in self._made:
            parent, _, name = path.rpartition(b"/")
            self._make(self.open(parent), path, name)

    def has_made(self, path: bytes) -> bool:
        """Did we make it, so that nothing can be in the way in it?"""
        return path in self._made

    def _step(self, parent: Folder, path: bytes, name: bytes) -> Folder:
        """Open a folder in an open one, never through a symlink."""
        is_fresh = path in self._made
        if self._makes_folders and not is_fresh:
            is_fresh = self._make(parent, path, name)
        try:
            found = Folder(folders.open_in(name, parent.number), is_fresh)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise _no_folder() from error
            raise
        if not is_fresh:
            # The folder's own mode is given to it once all is in it.
            folders.open_up(found.number)
        return found

    def _make(self, parent: Folder, path: bytes, name: bytes) -> bool:
        place = parent.number
        try:
            folders.make_folder(name, place)
        except FileExistsError:
            status = folders.status_in(name, place)
            if parent.is_fresh or is_folded(place, name, status):
                raise taken_for_another() from None
            if stat.S_ISDIR(status.st_mode):
                return False
            if not self._overwrite:
                raise _no_folder() from None
            if self._on_replaced is not None:
                is_link = stat.S_ISLNK(status.st_mode)
                self._on_replaced(path, folders.read_link(name, place) if is_link else b"")
            folders.remove(name, place)
            folders.make_folder(name, place)
        self._made.add(path)
        return True


def _no_folder() -> InTheWay:
    return InTheWay(NO_FOLDER)
