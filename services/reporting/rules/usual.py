"""What is usual for a plan."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HISTORY_LENGTH = 10


USUAL_FROM_RUNS = 3


@dataclass(frozen=True, slots=True)
class Usual:
    """The middle of a plan's last runs and how far they commonly lie from it."""

    median: int
    spread: int


def find_usual(history: Sequence[int]) -> Usual | None:
    """Says what is usual from the figures of earlier runs; None when they are too few.

    Spread is the median distance from the median: one strange run doesn't move it.
    """
    if len(history) < USUAL_FROM_RUNS:
        return None
    median = statistics.median(history)
    spread = statistics.median(abs(figure - median) for figure in history)
    return Usual(round(median), round(spread))
