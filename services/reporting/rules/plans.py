"""What reporting knows of a plan, and when it runs next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


@dataclass(frozen=True, slots=True)
class Plan:
    """What reporting knows of a plan."""

    plan_id: UUID
    name: str
    hostname: str
    schedule: str
    timezone: str
    recipients: tuple[str, ...]
    reports: bool


def find_next_report(schedule: str, timezone: str, after: datetime) -> datetime | None:
    """Returns when the plan runs next, in its own time zone; None if its rhythm can't be read."""
    try:
        return next(CronSim(schedule, after.astimezone(ZoneInfo(timezone))), None)
    except (CronSimError, LookupError, OSError, ValueError):
        return None
