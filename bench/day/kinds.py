"""What runs of a day bring, and when they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

DAY_SECONDS = 86_400
# Most copies are made at night, some at noon; in each hour half of them on the hour or the half.
HOURS = (10, 12, 12, 10, 8, 6, 2, 1, 1, 1, 1, 1, 4, 2, 1, 1, 1, 1, 2, 3, 6, 7, 8, 9)
ON_THE_CLOCK = 0.5


@dataclass(frozen=True)
class Kind:
    """Runs that bring the same: so many files of that size, some of them new names.

    per_mille: how many of a thousand runs of the day are such. fails: what the agent says of it.
    """

    name: str
    text: str
    per_mille: int
    files: int = 0
    file_bytes: int = 0
    is_new: bool = False
    fails: bool = False

    @property
    def sent_bytes(self) -> int:
        """How many bytes of contents a run of this kind brings."""
        return self.files * self.file_bytes


FIRST = Kind("first", "a first copy: 100 files of 10 kB", 0, 100, 10_000, is_new=True)
UNCHANGED = Kind("unchanged", "nothing changed", 900)
CHANGED = Kind("changed", "20 files of 40 kB changed", 70, 20, 40_000)
MANY = Kind("many", "1,000 new files of 4 kB", 5, 1_000, 4_000, is_new=True)
LARGE = Kind("large", "one file of 32 MB changed", 5, 1, 32_000_000)
FAILED = Kind("failed", "failed: a folder is missing", 20, fails=True)
OF_A_DAY = (UNCHANGED, CHANGED, MANY, LARGE, FAILED)


@dataclass(frozen=True)
class Due:
    """One run: how far the day has gone, from 0 to 1, and what it brings."""

    share_of_day: float
    kind: Kind


def plan_day(runs: int, seed: int) -> list[Due]:
    """A day's runs in the order of their times; of each kind its share, one at least."""
    chance = random.Random(seed)
    kinds = [kind for kind in OF_A_DAY for _ in range(max(1, runs * kind.per_mille // 1000))]
    kinds += [UNCHANGED] * (runs - len(kinds))
    chance.shuffle(kinds)
    return sorted(
        (Due(_draw_moment(chance) / DAY_SECONDS, kind) for kind in kinds[:runs]),
        key=lambda due: due.share_of_day,
    )


def find_peak(day: Sequence[Due]) -> float:
    """The share of all runs that the busiest hour has."""
    by_hour = [0] * 24
    for due in day:
        by_hour[int(due.share_of_day * 24)] += 1
    return max(by_hour) / len(day)


def _draw_moment(chance: random.Random) -> float:
    [hour] = chance.choices(range(24), HOURS)
    if chance.random() < ON_THE_CLOCK:
        return hour * 3600 + chance.choice((0, 1800)) + chance.random() * 20
    return hour * 3600 + chance.random() * 3600
