"""Which restore points there are, and which one a date means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.server.portal import Portal
from agent.telling.failures import UsageError

_AT_ONCE = 500
_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(.*)", re.DOTALL)


@dataclass(frozen=True)
class Point:
    """A restore point as the portal lists it."""

    number: int
    finished_at: datetime
    outcome: str
    files: int
    size_bytes: int

    def as_line(self) -> dict[str, Any]:
        """As a line of `--json`."""
        return {
            "message_type": "restore_point",
            "run_number": self.number,
            "finished_at": self.finished_at.isoformat(),
            "outcome": self.outcome,
            "files_total": self.files,
            "bytes_protected": self.size_bytes,
        }


def each(portal: Portal, plan: str) -> Iterator[Point]:
    """A plan's restore points, newest first."""
    before: int | None = None
    while runs := portal.runs(plan, before, _AT_ONCE):
        yield from (_point(run) for run in runs if run["restore_point"])
        before = runs[-1]["number"]


def _point(run: dict[str, Any]) -> Point:
    return Point(
        run["number"],
        datetime.fromisoformat(run["finished_at"]),
        run["outcome"],
        run["files_total"] or 0,
        run["bytes_protected"] or 0,
    )


def last_moment(text: str) -> datetime:
    """The last moment that a date means: 22/11/2026 is that whole day, 02:14 the whole minute.

    text: ISO, or day/month/year as mails say it, with or without a time; the time of this machine
    unless it names another. UsageError if it is neither.
    """
    iso = text.strip()
    french = _FRENCH.fullmatch(iso)
    if french:
        day, month, year, rest = french.groups()
        iso = f"{year}-{int(month):02d}-{int(day):02d}{rest}"
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        raise UsageError(
            f"--at {text}: give a date such as 2026-11-22, 2026-11-22T02:14 or 22/11/2026 02:14."
        ) from None
    if not re.search(r"\d[T ]\s*\d", iso):
        span = timedelta(days=1)
    elif iso.count(":") - _offset_colons(iso) > 1:
        span = timedelta(seconds=1)
    else:
        span = timedelta(minutes=1)
    return (moment + span).astimezone(UTC) - timedelta(microseconds=1)


def _offset_colons(iso: str) -> int:
    """How many of the colons belong to an offset such as +01:00."""
    zone = re.search(r"[+-]\d\d:?\d\d(:\d\d)?$", iso[10:])
    return zone[0].count(":") if zone else 0
