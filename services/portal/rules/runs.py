"""What a client is told of its plans at a glance: days, what is worst, what is next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from libs.shared.events import Outcome

STRIP_DAYS = 30

State = Literal["succeeded", "succeeded_with_warnings", "failed", "missed", "running", "none"]
Mood = Literal["failed", "late", "succeeded_with_warnings", "succeeded", "waiting"]
_WORST_FIRST: tuple[Mood, ...] = ("failed", "late", "succeeded_with_warnings", "waiting")


@dataclass(frozen=True, slots=True)
class DayRuns:
    """A plan's runs of a day, by the worst of them; outcome None: under way."""

    day: date
    number: int
    outcome: Outcome | None
    runs: int


@dataclass(frozen=True, slots=True)
class RunDay:
    """A day of a strip: how it stands, the run that says so, and how many there were."""

    day: date
    state: State
    number: int | None = None
    runs: int = 0


def lay_strip(today: date, runs: Iterable[DayRuns], missed: Iterable[date]) -> list[RunDay]:
    """The last STRIP_DAYS days, today the last."""
    ran = {one.day: one for one in runs}
    absent = set(missed)
    strip = []
    for back in reversed(range(STRIP_DAYS)):
        day = today - timedelta(days=back)
        found = ran.get(day)
        if found is not None:
            state: State = found.outcome or "running"
            strip.append(RunDay(day, state, found.number, found.runs))
        else:
            strip.append(RunDay(day, "missed" if day in absent else "none"))
    return strip


def find_missed_days(
    schedule: str, timezone: str, spans: Iterable[tuple[datetime, datetime]], zone: ZoneInfo
) -> set[date]:
    """The days of a zone on which a run was due within these spans, whose ends count."""
    days: set[date] = set()
    for first, last in spans:
        days |= {first.astimezone(zone).date(), last.astimezone(zone).date()}
        for due in _each_due(schedule, timezone, first):
            if due >= last:
                break
            days.add(due.astimezone(zone).date())
    return days


def _each_due(schedule: str, timezone: str, after: datetime) -> Iterator[datetime]:
    try:
        yield from CronSim(schedule, after.astimezone(ZoneInfo(timezone)))
    except (CronSimError, LookupError, OSError, ValueError):
        return


def judge_plan(outcome: Outcome | None, *, is_late: bool, is_unusual: bool = False) -> Mood:
    """How a plan stands by its last finished run, None where it has none."""
    if outcome == "failed":
        return "failed"
    if is_late:
        return "late"
    if outcome == "succeeded" and is_unusual:
        return "succeeded_with_warnings"
    return outcome or "waiting"


def find_worst(moods: Iterable[Mood]) -> Mood:
    """The worst of several plans; a client waits only where no plan has ended well."""
    found = set(moods)
    if "succeeded" in found:
        found.discard("waiting")
    for mood in _WORST_FIRST:
        if mood in found:
            return mood
    return "succeeded" if found else "waiting"


def rank(mood: Mood) -> int:
    """Where a plan stands in a list: what needs somebody comes first."""
    return (*_WORST_FIRST, "succeeded").index(mood)


def find_next(schedule: str, timezone: str, after: datetime) -> datetime | None:
    """When a plan runs next; None where its rhythm can't be read, or has no next time."""
    return next(_each_due(schedule, timezone, after), None)
