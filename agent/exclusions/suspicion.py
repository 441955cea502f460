"""A quick look at the names of a folder: may any pattern match one of them?

Most folders of most machines hold nothing that is excluded. To ask each pattern about each entry
would cost more than the walk itself, so a pattern's last part is first compared with all names
of a folder at once; only where that can't rule it out is the pattern itself asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agent.config.globs import Glob

_WILD = re.compile(rb"[*?\[\\]")


class Names:
    """The names that some patterns may match; never misses one."""

    def __init__(self, lasts: Iterable[bytes]) -> None:
        literals, beginnings, endings = set(), set(), set()
        self._any = False
        for last in lasts:
            wild = _WILD.search(last)
            if wild is None:
                literals.add(last)
                continue
            ending = re.split(rb"[*?\[\]\\]", last)[-1]
            beginning = last[: wild.start()]
            if ending and b"\\" not in last:
                endings.add(ending)
            elif beginning:
                beginnings.add(beginning)
            else:
                self._any = True
        self._literals = frozenset(literals)
        self._beginnings, self._endings = tuple(beginnings), tuple(endings)

    def may_hold(self, names: Sequence[bytes]) -> bool:
        """May any of these names be matched?"""
        if self._any or not self._literals.isdisjoint(names):
            return True
        if self._endings and any(name.endswith(self._endings) for name in names):
            return True
        return bool(self._beginnings) and any(name.startswith(self._beginnings) for name in names)


class Suspicion:
    """For each folder, the names that patterns may match there."""

    def __init__(self, globs: Iterable[Glob]) -> None:
        self._everywhere: list[bytes] = []
        self._placed: dict[tuple[int, bytes], list[tuple[tuple[bytes, ...], bytes]]] = {}
        for glob in globs:
            if not glob.is_negated:
                self._add(glob)
        self._common = Names(self._everywhere)
        self._is_idle = not self._everywhere
        self._joined: dict[tuple[bytes, ...], Names] = {}

    def _add(self, glob: Glob) -> None:
        above = glob.places
        if above is None:
            self._everywhere.append(glob.last)
            return
        first = above[0] if above and not _WILD.search(above[0]) else b""
        self._placed.setdefault((len(above), first), []).append((above, glob.last))

    def names_in(self, folder: bytes) -> Names | None:
        """The names to look for in a folder, given below the plan's; None where there are none."""
        if not self._placed:
            return None if self._is_idle else self._common
        depth = folder.count(b"/") + 1 if folder else 0
        first = folder[: folder.find(b"/")] if depth > 1 else folder
        placed = self._placed.get((depth, first), [])
        if first:
            placed = placed + self._placed.get((depth, b""), [])
        if placed:
            parts = folder.split(b"/") if folder else []
            lasts = tuple(last for above, last in placed if _may_be(above, parts))
            if lasts:
                if lasts not in self._joined:
                    self._joined[lasts] = Names([*self._everywhere, *lasts])
                return self._joined[lasts]
        return None if self._is_idle else self._common


def _may_be(above: Sequence[bytes], parts: Sequence[bytes]) -> bool:
    return all(_WILD.search(glob) or glob == part for glob, part in zip(above, parts, strict=True))
