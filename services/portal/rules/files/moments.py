"""Days and moments as people and programs give them."""

from __future__ import annotations

from contextlib import suppress
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


def begin_of(day: date, timezone: str) -> datetime:
    """The moment at which a day of the client's calendar begins."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def month_around(text: str, moment: datetime, timezone: str) -> tuple[datetime, datetime]:
    """The beginning and the end of a month, `2026-11`; of that of a moment for anything else."""
    first = moment.astimezone(ZoneInfo(timezone)).date().replace(day=1)
    with suppress(ValueError):
        wanted = date.fromisoformat(f"{text}-01")
        first = wanted if 2 <= wanted.year < 9998 else first
    following = (first + timedelta(days=31)).replace(day=1)
    return begin_of(first, timezone), begin_of(following, timezone)


def read_days(since: str, until: str, now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """The beginning of a day and the end of another, or the last month; raises InvalidRequest."""
    end = read_moment(until, timezone) if until else now
    begin = read_moment(since, timezone) if since else end - timedelta(days=31)
    if since and len(since.strip()) == len("2026-11-22"):
        begin = begin_of(date.fromisoformat(since.strip()), timezone)
    if end < begin:
        raise InvalidRequest("The first day comes after the last one.")
    return begin, end + timedelta(microseconds=1)
