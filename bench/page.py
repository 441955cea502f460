"""docs/benchmarks.md, of which each part is written anew by whoever measures it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def replace(text: str, part: str, lines: Sequence[str]) -> str:
    """The page with one part in it replaced; ValueError where it has no such part."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{PAGE} has no part '{part}'")
    return "\n".join([before + begin, "", *lines, "", end + after])
