"""Webhooks: where else the hotline's incidents are told, and how often that is tried."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

KEPT_TRYING = timedelta(days=5)
LONGEST_PAUSE = timedelta(minutes=15)
MOST = 20
"""How many webhooks there may be: each has a thread of its own."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address of a chat, a ticket system, or a monitoring, in apprise's notation.

    causes: of which incidents it is told; all of them where none is named.
    """

    url: str = field(repr=False)
    causes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What stands for it where its address, a secret, may not."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def kind(self) -> str:
        """What can be shown of it: the service that it names."""
        return self.url.partition(":")[0]

    def wants(self, cause: str) -> bool:
        """Whether it is told of incidents of a cause."""
        return not self.causes or cause in self.causes


@dataclass(frozen=True, slots=True)
class Failing:
    """A webhook that takes nothing: how many calls wait, since when, and what it said last."""

    kind: str
    calls: int
    since: datetime
    error: str


def read_webhooks(lines: Iterable[str], known: Collection[str]) -> tuple[Webhook, ...]:
    """Reads one webhook a line: `URL`, or `URL CAUSE,CAUSE` of those known; # begins a comment.

    Raises ValueError, which names the line and not what stands in it.
    """
    found = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        named = frozenset(one for one in ",".join(parts[1:]).split(",") if one)
        if "://" not in parts[0] or not named.issubset(known):
            raise ValueError(f"line {number} must be URL, or URL CAUSE,CAUSE")
        found.append(Webhook(parts[0], named))
    if len(found) > MOST:
        raise ValueError(f"there may be {MOST} at most")
    return tuple(found)


def find_next_try(tries: int, now: datetime) -> datetime:
    """Returns when a call is tried again: 2 s later, then 4, 8, … 15 minutes."""
    return now + min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_PAUSE)
