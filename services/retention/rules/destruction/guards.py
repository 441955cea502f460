"""What a destruction waits for before anything is destroyed: a second pair of eyes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.shared.reasons import Reason

STILL_SENDS = timedelta(days=7)
"""A machine that tried within so long before the destruction is due: was the end meant?"""


@dataclass(frozen=True, slots=True)
class Guards:
    """What an installation takes for usual.

    most_a_day: how many destructions may be due in a day. unasked_bytes: up to that size one is
    never unusually large.
    """

    most_a_day: int = 10
    unasked_bytes: int = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a destruction that is due.

    size_bytes: of its inventory. largest_bytes: of the largest that was ever completed.
    due_in_a_day: how many destructions are due in a day around it.
    last_sent_at: when one of the client's machines last tried to send.
    """

    due_at: datetime
    size_bytes: int
    largest_bytes: int
    due_in_a_day: int
    last_sent_at: datetime | None


def find_objections(standing: Standing, guards: Guards) -> list[Reason]:
    """Says what an operator has to confirm first; empty where nothing is unusual."""
    objections = []
    usual_bytes = max(standing.largest_bytes, guards.unasked_bytes)
    if standing.size_bytes > usual_bytes:
        objections.append(
            Reason("destruction-large", amount=standing.size_bytes, limit=usual_bytes)
        )
    if standing.due_in_a_day > guards.most_a_day:
        objections.append(
            Reason("destructions-many", amount=standing.due_in_a_day, limit=guards.most_a_day)
        )
    sent_at = standing.last_sent_at
    if sent_at is not None and sent_at > standing.due_at - STILL_SENDS:
        objections.append(Reason("still-sends", f"{sent_at:%Y-%m-%d %H:%M}"))
    return objections
