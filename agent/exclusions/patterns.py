"""The patterns of a plan's folder: its shipped list, then its own; and the agent's own folders."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from agent.config import shipped
from agent.exclusions.rules import Rules
from agent.exclusions.suspicion import Suspicion

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Exclusions:
    """The exclusions of one plan folder.

    A pattern is relative to the folder as in a .gitignore there;
    one that begins with the folder's own absolute path is taken from there.
    The last pattern that matches decides, so that a plan's own can take back one of the list.
    fold: what makes names alike that the system takes for the same.
    """

    def __init__(
        self,
        root: bytes,
        rules: Rules,
        own_folders: Sequence[bytes],
        fold: Callable[[str], str] | None = None,
    ) -> None:
        self._root, self._fold = root, fold
        base = os.fsdecode(root)
        self._patterns = [
            *shipped.patterns_for(rules.profile, base),
            *(_relative(pattern, "/" + base if base else "") for pattern in rules.patterns),
        ]
        if fold is not None:
            self._patterns = [fold(pattern) for pattern in self._patterns]
        self._suspicion = Suspicion(self._patterns)
        self._own = {posixpath.split(own.lstrip(b"/")) for own in own_folders}
        self._own_parents = {parent for parent, _ in self._own}

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - costs start-up time, seldom needed

        return GitIgnoreSpec.from_lines(self._patterns)

    def any_in(self, folder: bytes, names: Sequence[bytes]) -> bool:
        """May any of these names in a folder be excluded? A quick look that misses none."""
        if self._patterns:
            suspects = self._suspicion.names_in(self._text(self._inside(folder)))
            if suspects is not None and suspects.may_hold(self._folded(names)):
                return True
        return folder in self._own_parents

    def match(self, folder: bytes, name: bytes, is_folder: bool) -> bool:
        """Is this entry left out?"""
        if (folder, name) in self._own:
            return True
        if not self._patterns:
            return False
        inside = self._inside(folder)
        path = self._text(inside + b"/" + name if inside else name)
        return self._spec.match_file(path + "/" if is_folder else path)

    def _text(self, path: bytes) -> str:
        text = os.fsdecode(path)
        return text if self._fold is None else self._fold(text)

    def _folded(self, names: Sequence[bytes]) -> Sequence[bytes]:
        if self._fold is None:
            return names
        return [os.fsencode(self._text(name)) for name in names]

    def _inside(self, folder: bytes) -> bytes:
        return folder[len(self._root) :].lstrip(b"/")


def _relative(pattern: str, base: str) -> str:
    negated = pattern.startswith("!")
    bare = pattern[1:] if negated else pattern
    if base and (bare == base or bare.startswith(base + "/")):
        bare = bare[len(base) :] or "/*"
    return "!" + bare if negated else bare
