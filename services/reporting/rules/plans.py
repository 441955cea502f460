"""What reporting knows of a plan, and when it runs next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from libs.shared.events import Reader, Recipient


@dataclass(frozen=True, slots=True)
class Plan:
    """What reporting knows of a plan."""

    plan_id: UUID
    name: str
    hostname: str
    schedule: str
    timezone: str
    reports: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """Who gets a plan's reports, as the portal says; pending: how many don't count yet."""

    people: tuple[Reader, ...] = ()
    pending: int = 0

    def find_readers(self, administrators: Iterable[Recipient]) -> list[Reader]:
        """Each person once; the administrators too where somebody waits or nobody else reads."""
        others = () if self.people and not self.pending else administrators
        managing = [Reader(**dict(one)) for one in others]
        return list({one.email.lower(): one for one in (*managing, *self.people)}.values())


def each_run(
    schedule: str, timezone: str, start: datetime, *, backwards: bool = False
) -> Iterator[datetime]:
    """Yields when the plan is to run after a moment, or was before it, in its own time zone.

    Nothing if its rhythm can't be read.
    """
    try:
        yield from CronSim(schedule, start.astimezone(ZoneInfo(timezone)), reverse=backwards)
    except (CronSimError, LookupError, OSError, ValueError):
        return


def find_next_report(schedule: str, timezone: str, after: datetime) -> datetime | None:
    """Returns when the plan runs next, in its own time zone; None if its rhythm can't be read."""
    return next(each_run(schedule, timezone, after), None)
