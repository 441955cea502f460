"""Which incidents are the worse, and how often a client may ask for help."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from libs.shared import errors
from libs.shared.events import IncidentReported

Which = Literal["open", "closed"]
HELP_A_DAY = 10
LONGEST_MESSAGE = 2_000
MISSES_KEPT = timedelta(days=400)
LONGEST_PAUSE = timedelta(days=3660)

_SEVERITY = (
    "damage",
    "help",
    "called",
    "unusual",
    "missed",
    "failed",
    "abandoned",
    "refused",
    "waiting",
    "parked",
    "undeliverable",
)
"""The worst first; what isn't named here comes after all that is."""


class HelpSpent(errors.TooManyRequests):
    """A client asked for help often within a day."""

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=3600)

    @property
    def detail(self) -> str:
        return f"Help can be asked for {HELP_A_DAY} times a day: call us instead."


def find_rank(told: IncidentReported) -> int:
    """How bad an incident is, 0 the worst: what nobody has in hand before what somebody has."""
    severity = _SEVERITY.index(told.cause) if told.cause in _SEVERITY else len(_SEVERITY)
    in_hand = bool(told.acknowledged_by or told.snoozed_until)
    return 100 * in_hand + 50 * (told.escalated_at is None) + severity


def check_until(until: datetime, now: datetime) -> None:
    """Raises InvalidRequest for a day that is over, or years away."""
    if not now < until <= now + LONGEST_PAUSE:
        raise errors.InvalidRequest("The day must be one to come, within ten years.")
