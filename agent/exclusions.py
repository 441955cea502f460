"""Which entries a plan leaves out: gitignore patterns, and the agent's own folders."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence

from pathspec import GitIgnoreSpec


class Exclusions:
    """The exclusions of one plan folder.

    A pattern is relative to the folder as in a .gitignore there;
    one that begins with the folder's own absolute path is taken from there.
    """

    def __init__(self, root: bytes, patterns: Sequence[str], own_folders: Sequence[bytes]) -> None:
        self._root = root
        base = "/" + os.fsdecode(root)
        self._spec = GitIgnoreSpec.from_lines(
            [_relative(pattern, base.rstrip("/")) for pattern in patterns]
        )
        self._has_patterns = bool(patterns)
        self._own = {posixpath.split(own.lstrip(b"/")) for own in own_folders}
        self._own_parents = {parent for parent, _ in self._own}

    def any_in(self, folder: bytes) -> bool:
        """Can anything in this folder be excluded?"""
        return self._has_patterns or folder in self._own_parents

    def match(self, folder: bytes, name: bytes, is_folder: bool) -> bool:
        """Is this entry left out?"""
        if (folder, name) in self._own:
            return True
        if not self._has_patterns:
            return False
        inside = folder[len(self._root) :].lstrip(b"/")
        path = os.fsdecode(inside + b"/" + name if inside else name)
        return self._spec.match_file(path + "/" if is_folder else path)


def _relative(pattern: str, base: str) -> str:
    negated = pattern.startswith("!")
    bare = pattern[1:] if negated else pattern
    if base and (bare == base or bare.startswith(base + "/")):
        bare = bare[len(base) :] or "/*"
    return "!" + bare if negated else bare
