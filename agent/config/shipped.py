"""The lists that come with the agent: what no client would miss, for each kind of machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

FOLDER = Path(__file__).parent / "lists"


def lines_of(profile: str) -> list[str]:
    """The patterns of a shipped list, as absolute paths of the machine; none for `none`."""
    if profile == "none":
        return []
    text = (FOLDER / f"{profile}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [os.path.expanduser(line) for line in lines]


def patterns_for(
    profile: str, root: str, fold: Callable[[str], str] | None = None
) -> Iterator[str]:
    """The patterns of a list as they apply inside a plan's folder.

    root: the folder without its leading slash; fold: what it was spelled by, and patterns are.
    A folder that a plan names is wanted, whatever a list says of it.
    """
    above = root.split("/") if root else []
    lines = lines_of(profile)
    for line in lines if fold is None else map(fold, lines):
        if not line.startswith("/"):
            yield line
            continue
        parts = line.strip("/").split("/")
        inside = parts[len(above) :]
        if inside and (inside != ["*"] or not above) and _leads(parts, above):
            yield "/" + "/".join(inside) + ("/" if line.endswith("/") else "")


def _leads(parts: list[str], above: list[str]) -> bool:
    return all(fnmatchcase(part, glob) for part, glob in zip(above, parts, strict=False))
