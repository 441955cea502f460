"""What a hostile campaign did, in numbers: requests by kind, and how its victims fared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

HOSTILE = "hostile"
"""The name under which a test's report carries its share of the campaign."""


class Campaign:
    """Counts what one test tries; its figures are printed at the end of the run."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def tried(self, kind: str, count: int = 1) -> None:
        """Notes that so many requests, bytes or connections of a kind were sent."""
        self._record(HOSTILE, ["tried", kind, count])

    def felt(self, attack: str, alone: Sequence[float], meanwhile: Sequence[float]) -> float:
        """Notes what a victim waited, in seconds, without and under an attack of this very test.

        Returns the ratio of the two p99.
        """
        before, during = p99(alone), p99(meanwhile)
        self._record(HOSTILE, ["felt", attack, before, during])
        return during / before


def p99(seconds: Sequence[float]) -> float:
    """The smallest value that 99 % do not exceed."""
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


def summarize(told: Iterable[Any]) -> Iterable[str]:
    """Lines for people, of what all tests of a run recorded."""
    tried: Counter[str] = Counter()
    felt = []
    for kind, name, *figures in told:
        if kind == "tried":
            tried[name] += figures[0]
        else:
            felt.append((name, *figures))
    for name, count in sorted(tried.items()):
        yield f"{count:>9,}  {name}"
    for name, alone, meanwhile in sorted(felt):
        ratio = meanwhile / alone
        yield f"{ratio:>8.1f}x  {name}: p99 {alone:.3f} s alone, {meanwhile:.3f} s meanwhile"
