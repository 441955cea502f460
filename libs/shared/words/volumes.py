"""What is said of stored volume: when a contract will be reached, and why growth ended."""

from __future__ import annotations

from datetime import date, datetime, time

from libs.shared.words.foreign import plain
from libs.shared.words.tongue import Tongue


def tell_forecast(tongue: Tongue, reached_on: date | None, weekly_bytes: int | None = None) -> str:
    """When the contract is reached as things go, or how fast volume grows; empty without a trend.

    reached_on is a day; weekly_bytes is what each week adds, to be told where there is no day.
    """
    if reached_on is not None:
        day = tongue.day(datetime.combine(reached_on, time(12), tongue.zone))
        return tongue.say("As things go, the contracted volume is reached on {day}.", day=day)
    if weekly_bytes:
        added = tongue.size(weekly_bytes)
        return tongue.say("Lately about {size} more is stored each week.", size=added)
    return ""


def tell_block(tongue: Tongue, reason: str, ended_at: datetime | None) -> str:
    """Why growth is blocked, as a sentence: an operator's words, or that a deadline has passed.

    Empty where nobody said why."""
    why = reason if ended_at is None else tell_deadline(tongue, ended_at)
    if not why:
        return ""
    said = tongue.say("Reason: {reason}", reason=plain(why))
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def tell_deadline(tongue: Tongue, deadline_at: datetime) -> str:
    """Why growth ended at a deadline."""
    return tongue.say(
        "more is stored than is contracted, and the deadline of {day} has passed",
        day=tongue.day(deadline_at),
    )
