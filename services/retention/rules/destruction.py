"""When an ended subscription's data is due."""

from __future__ import annotations

from datetime import UTC, datetime

from libs.shared.events import DESTRUCTION_AFTER


def find_destruction_date(ended_at: datetime) -> datetime:
    """Returns when an ended subscription's data is due for destruction: 30 times 24 hours later.

    Hours and not calendar days: never earlier, in whatever time zone, over whatever summer time.
    """
    return ended_at.astimezone(UTC) + DESTRUCTION_AFTER
