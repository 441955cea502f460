"""When a zone's clock is set forward or back, and what that means for a schedule.

A plan is due when cronsim says so, by which the service expects it: what is due in an hour that
the clock skips is due right after it, and what is due in an hour that comes twice, the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agent.config import Plan
from agent.timers.rhythm import Rhythm

YEARS = 20
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


def is_due(plan: Plan, now: datetime, minutes: int) -> bool:
    """Was a start of the plan due within the last minutes? now: an aware time."""
    since = now - minutes * _MINUTE
    for turn in CronSim(plan.schedule, since.astimezone(ZoneInfo(plan.timezone))):
        moment = turn.astimezone(UTC)
        if moment > now:
            return False
        # A wall's time that comes twice is asked about from its first time on.
        if moment > since:
            return True
    return False


def meets_a_change(schedule: str, timezone: str, now: datetime) -> bool:
    """Is it ever due at a time that the clock of its zone skips or shows twice?"""
    zone = ZoneInfo(timezone)
    for change in _changes(zone, now):
        before = (change - _MINUTE).astimezone(zone).replace(tzinfo=None) + _MINUTE
        after = change.astimezone(zone).replace(tzinfo=None)
        first, last = min(before, after), max(before, after)
        if next(iter(CronSim(schedule, first - timedelta(seconds=1)))) < last:
            return True
    return False


def missed_by_walls(schedule: str, rhythm: Rhythm, now: datetime) -> list[datetime]:
    """The moments at which it is due, in UTC, and that no look at the zone's clock would tell.

    They are not the schedule's own times, or come when the clock shows a time once more.
    """
    zone = ZoneInfo(rhythm.timezone)
    found = set()
    for change in _changes(zone, now):
        for turn in CronSim(schedule, (change - _DAY).astimezone(zone)):
            moment = turn.astimezone(UTC)
            if moment > change + _DAY:
                break
            wall = moment.astimezone(zone)
            if wall.fold or wall.hour not in rhythm.hours or wall.minute not in rhythm.minutes:
                found.add(moment)
    return sorted(found)


def _changes(zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """The first minutes, in UTC, at which the zone is at another distance from UTC than before."""
    day = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for _ in range(YEARS * 366):
        early, late = day, day + _DAY
        if early.astimezone(zone).utcoffset() != late.astimezone(zone).utcoffset():
            while late - early > _MINUTE:
                middle = early + (late - early) // 2
                middle = middle.replace(second=0, microsecond=0)
                if early.astimezone(zone).utcoffset() == middle.astimezone(zone).utcoffset():
                    early = middle
                else:
                    late = middle
            yield late
        day += _DAY
