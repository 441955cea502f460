"""A quick look at the names of a folder: may any pattern match one of them?

Most folders of most machines hold nothing that is excluded. To ask each pattern about each entry
would cost more than the walk itself, so a pattern's last part is first compared with all names
of a folder at once; only where that can't rule it out is the pattern itself asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

_WILD = re.compile(r"[*?\[\\]")


class Names:
    """The names that some patterns may match; never misses one."""

    def __init__(self, lasts: Iterable[str]) -> None:
        literals, beginnings, endings = set(), set(), set()
        self._any = False
        for last in lasts:
            wild = _WILD.search(last)
            if wild is None:
                literals.add(os.fsencode(last))
                continue
            ending = re.split(r"[*?\[\]\\]", last)[-1]
            beginning = last[: wild.start()]
            if ending and "\\" not in last:
                endings.add(os.fsencode(ending))
            elif beginning:
                beginnings.add(os.fsencode(beginning))
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

    def __init__(self, patterns: Iterable[str]) -> None:
        self._everywhere: list[str] = []
        self._placed: dict[tuple[int, str], list[tuple[list[str], str]]] = {}
        for pattern in patterns:
            if not pattern.startswith(("!", "#")) and pattern.strip():
                self._add(pattern.rstrip())
        self._common = Names(self._everywhere)
        self._is_idle = not self._everywhere
        self._joined: dict[tuple[str, ...], Names] = {}

    def _add(self, pattern: str) -> None:
        parts = pattern.strip("/").split("/")
        last, above = parts[-1], parts[:-1]
        is_placed = pattern.startswith("/") or len(parts) > 1
        if "\\" in pattern or "**" in pattern or not is_placed:
            self._everywhere.append(last)
            return
        first = above[0] if above and not _WILD.search(above[0]) else ""
        self._placed.setdefault((len(above), first), []).append((above, last))

    def names_in(self, folder: str) -> Names | None:
        """The names to look for in a folder, given below the plan's; None where there are none."""
        if not self._placed:
            return None if self._is_idle else self._common
        depth = folder.count("/") + 1 if folder else 0
        first = folder[: folder.find("/")] if depth > 1 else folder
        placed = self._placed.get((depth, first), [])
        if first:
            placed = placed + self._placed.get((depth, ""), [])
        if placed:
            parts = folder.split("/") if folder else []
            lasts = tuple(last for above, last in placed if _may_be(above, parts))
            if lasts:
                if lasts not in self._joined:
                    self._joined[lasts] = Names([*self._everywhere, *lasts])
                return self._joined[lasts]
        return None if self._is_idle else self._common


def _may_be(above: Sequence[str], parts: Sequence[str]) -> bool:
    return all(_WILD.search(glob) or glob == part for glob, part in zip(above, parts, strict=True))
