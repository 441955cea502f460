"""Where the content of a plan's folders is read: in place, or as a snapshot holds it.

Paths of the copy stay the plan's own; a view says from where in the machine each is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

EMPTY_SUBVOLUME_INODE = 2
"""What stands in a snapshot of btrfs for a subvolume inside, which is no part of it."""


class Views:
    """The longest of the prefixes that a path has decides; without any it is read in place.

    enter: takes in a subvolume that a snapshot leaves out; returns from where it is read.
    """

    def __init__(
        self,
        places: Mapping[bytes, bytes] | None = None,
        enter: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._places = dict(places or {})
        self._enter = enter

    def actual(self, path: bytes) -> bytes:
        """From where a path of the plan is read; both without the leading slash."""
        if not self._places:
            return path
        above = path
        while above not in self._places:
            if not above:
                return path
            above = above.rpartition(b"/")[0]
        rest = path[len(above) :].lstrip(b"/")
        return b"/".join(part for part in (self._places[above], rest) if part)

    def begins_at(self, path: bytes) -> bool:
        """Is it read elsewhere than what it lies in? Its parent's listing knows another inode."""
        return path in self._places

    def enter(self, path: bytes, inode: int | None) -> None:
        """Goes on into what a listing named; a subvolume may have to be taken in first."""
        if (
            inode == EMPTY_SUBVOLUME_INODE
            and self._enter is not None
            and path not in self._places
            and self.actual(path) != path
        ):
            self._places[path] = self._enter(path)


IN_PLACE = Views()
