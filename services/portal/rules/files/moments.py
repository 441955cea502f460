"""Days and moments as people and programs give them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from libs.shared.errors import InvalidRequest


def read_moment(text: str, timezone: str) -> datetime:
    """The moment that a text names: a day means its end; without a zone it is the client's.

    Raises InvalidRequest.
    """
    zone = ZoneInfo(timezone)
    # In an address a plus stands for a space.
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    try:
        if len(text) == len("2026-11-22"):
            day = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(day, time(), zone).astimezone(UTC) - timedelta(microseconds=1)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "A moment is a day (2026-11-22), or a date and time (2026-11-22T18:30)."
        ) from None
