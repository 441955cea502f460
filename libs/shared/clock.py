"""The time of the installation, which may be set to another date as a whole."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

OFFSET_VARIABLE = "COFFRE_CLOCK_OFFSET_SECONDS"

try:
    _offset = timedelta(seconds=int(os.environ.get(OFFSET_VARIABLE) or 0))
except (ValueError, OverflowError):
    raise SystemExit(f"{OFFSET_VARIABLE} is not a whole number of seconds.") from None


def now() -> datetime:
    """The current instant, aware, in UTC, moved by COFFRE_CLOCK_OFFSET_SECONDS."""
    return datetime.now(UTC) + _offset


def today(timezone: str) -> date:
    """The calendar day that it is now in an IANA time zone such as `Europe/Paris`."""
    return now().astimezone(ZoneInfo(timezone)).date()


def offset() -> timedelta:
    """How far the installation's time is from the machine's."""
    return _offset
