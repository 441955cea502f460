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

SEVERITY = (
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
    in_hand = bool(told.acknowledged_by or told.snoozed_until)
    return rank(told.cause, in_hand=in_hand, is_escalated=told.escalated_at is not None)


def rank(cause: str, *, in_hand: bool, is_escalated: bool) -> int:
    """How bad what has this cause is, 0 the worst."""
    severity = SEVERITY.index(cause) if cause in SEVERITY else len(SEVERITY)
    return 100 * in_hand + 50 * (not is_escalated) + severity


def check_until(until: datetime, now: datetime) -> None:
    """Raises InvalidRequest for a day that is over, or years away."""
    if not now < until <= now + LONGEST_PAUSE:
        raise errors.InvalidRequest("The day must be one to come, within ten years.")
