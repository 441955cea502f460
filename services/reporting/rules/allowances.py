"""How many mails a client's machines may cause; what goes beyond is told in digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

DAY = timedelta(hours=24)
PLAN_A_DAY = 100
"""Mails to one person about one plan: a run each quarter of an hour keeps within it."""
CLIENT_A_DAY = 1000
"""Mails of one client to everybody."""
DIGEST_AFTER = timedelta(hours=1)
"""How long the first mail that was held back waits to be told of, with all that follow it."""
DIGEST_LINES = 20


@dataclass(frozen=True, slots=True)
class Caused:
    """How many mails a client's machines caused in a day: to one person about one plan, in all."""

    about_plan: int
    in_all: int

    @property
    def is_enough(self) -> bool:
        """Whether one more would be too many."""
        return self.about_plan >= PLAN_A_DAY or self.in_all >= CLIENT_A_DAY
