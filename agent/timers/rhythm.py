"""A cron expression taken apart, for those that write the same in their own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim

from agent.config import Plan
from agent.telling.failures import UsageError

_ALL_DAYS, _ALL_MONTHS = frozenset(range(1, 32)), frozenset(range(1, 13))
_ALL_WEEKDAYS = frozenset(range(1, 8))


@dataclass(frozen=True)
class Rhythm:
    """The minutes at which a plan starts, in its time zone.

    days, months, weekdays: None for all; Monday is 1, Sunday 7.
    last_day: also on the last day of the month.
    is_either: a day counts if days or weekdays name it; else both must.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None
    last_day: bool
    is_either: bool
    timezone: str

    @property
    def has_every_day(self) -> bool:
        """Does it start on all days?"""
        return self.days is None and self.months is None and self.weekdays is None

    @property
    def times(self) -> list[tuple[int, int]]:
        """Hours and minutes of a day."""
        return [(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]


def rhythm_of(plan: Plan) -> Rhythm:
    """A plan's schedule; UsageError where only coffre's own reading of cron knows it."""
    cron = CronSim(plan.schedule, datetime(2026, 1, 1))  # noqa: DTZ001 - only its fields are read
    numbers = {day for day in cron.weekdays if isinstance(day, int)}
    if numbers != cron.weekdays or CronSim.LAST_WEEKDAY in cron.days:
        raise UsageError(
            f"The schedule {plan.schedule!r} uses #, or an L other than the last day of the month,"
            " which timers can't express. Name the days, or the days of the week."
        )
    last_day = CronSim.LAST in cron.days
    days = frozenset(cron.days) - {CronSim.LAST}
    months, weekdays = frozenset(cron.months), frozenset(day or 7 for day in numbers)
    some_days = None if days == _ALL_DAYS else days
    some_weekdays = None if weekdays == _ALL_WEEKDAYS else weekdays
    return Rhythm(
        minutes=frozenset(cron.minutes),
        hours=frozenset(cron.hours),
        days=some_days,
        months=None if months == _ALL_MONTHS else months,
        weekdays=some_weekdays,
        last_day=last_day and some_days is not None,
        is_either=not cron.day_and and some_days is not None and some_weekdays is not None,
        timezone=plan.timezone,
    )
