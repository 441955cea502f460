"""The patterns of a plan's folder: its shipped list, then its own; and the agent's own folders."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence

from agent.config import shipped
from agent.config.globs import glob_of
from agent.exclusions.rules import Rules
from agent.exclusions.suspicion import Suspicion


class Exclusions:
    """The exclusions of one plan folder.

    A pattern is relative to the folder as in a .gitignore there;
    one that begins with the folder's own absolute path is taken from there.
    The last pattern that matches decides, so that a plan's own can take back one of the list.
    As with git, a pattern is asked about an entry alone: what lies in a folder is left out with
    it, because the walk doesn't go there.
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
        base, own = os.fsdecode(root), rules.patterns
        if fold is not None:
            # Before the folder is looked for in them, which may be spelled otherwise there.
            base, own = fold(base), tuple(map(fold, own))
        patterns = [
            *shipped.patterns_for(rules.profile, base, fold),
            *(_relative(pattern, "/" + base if base else "") for pattern in own),
        ]
        folds_case = fold is not None and fold("A") != "A"
        found = (glob_of(os.fsencode(pattern), folds_case) for pattern in patterns)
        globs = [glob for glob in found if glob is not None]
        self._suspicion = Suspicion(globs)
        self._last_first = globs[::-1]
        self._own = {posixpath.split(own.lstrip(b"/")) for own in own_folders}
        self._own_parents = {parent for parent, _ in self._own}

    def any_in(self, folder: bytes, names: Sequence[bytes]) -> bool:
        """May any of these names in a folder be excluded? A quick look that misses none."""
        if self._last_first:
            suspects = self._suspicion.names_in(self._folded(self._inside(folder)))
            if suspects is not None:
                asked = names if self._fold is None else [self._folded(name) for name in names]
                if suspects.may_hold(asked):
                    return True
        return folder in self._own_parents

    def match(self, folder: bytes, name: bytes, is_folder: bool) -> bool:
        """Is this entry left out?"""
        if (folder, name) in self._own:
            return True
        if not self._last_first:
            return False
        inside = self._inside(folder)
        path = self._folded(inside + b"/" + name if inside else name)
        name = self._folded(name)
        for glob in self._last_first:
            if (is_folder or not glob.folders_only) and glob.regex.fullmatch(
                path if glob.has_path else name
            ):
                return not glob.is_negated
        return False

    def _folded(self, path: bytes) -> bytes:
        return path if self._fold is None else os.fsencode(self._fold(os.fsdecode(path)))

    def _inside(self, folder: bytes) -> bytes:
        return folder[len(self._root) :].lstrip(b"/")


def _relative(pattern: str, base: str) -> str:
    negated = pattern.startswith("!")
    bare = pattern[1:] if negated else pattern
    if base and (bare == base or bare.startswith(base + "/")):
        inside = bare[len(base) :]
        bare = "/*" if inside in ("", "/") else inside
    return "!" + bare if negated else bare
