"""A month of restore points: a day each, with what its runs came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names

from libs.shared.catalogue import RestorePoint
from libs.shared.words.tongue import Tongue
from services.portal.actions.files.points import PointSpan, PointsView
from services.portal.store.runs.points import RunOfDay

_WORST = ("failed", "succeeded_with_warnings", "succeeded")


@dataclass(frozen=True)
class CalendarDay:
    """A day: the last restore point of it, how many it has, and how its runs ended at worst.

    state: an outcome, or "" for a day without a run.
    """

    day: date
    points: list[RestorePoint]
    state: str
    is_unusual: bool
    is_chosen: bool
    label: str


@dataclass(frozen=True)
class CalendarMonth:
    """What the calendar draws; before and after: months that have restore points or may."""

    title: str
    weekdays: list[tuple[str, str]]
    weeks: list[list[CalendarDay | None]]
    before: str | None
    after: str | None


def draw(view: PointsView, tongue: Tongue) -> CalendarMonth:
    """The month of a view."""
    zone = ZoneInfo(view.timezone)
    first = day_of(view.month.since, zone)
    following = day_of(view.month.until, zone)
    chosen = day_of(view.point.committed_at, zone)
    points, runs = _by_day(view.month, zone)
    days: list[CalendarDay | None] = [None] * first.weekday()
    days += [
        _draw_day(day, points.get(day, []), runs.get(day, []), tongue, day == chosen)
        for day in _days(first, following)
    ]
    days += [None] * (-len(days) % 7)
    oldest = day_of(view.around.first.committed_at, zone)
    newest = day_of(view.around.newest.committed_at, zone)
    return CalendarMonth(
        title=tongue.month(first),
        weekdays=_weekdays(tongue),
        weeks=[days[at : at + 7] for at in range(0, len(days), 7)],
        before=f"{first - timedelta(days=1):%Y-%m}" if oldest < first else None,
        after=f"{following:%Y-%m}" if newest >= following else None,
    )


def _days(first: date, following: date) -> Iterator[date]:
    while first < following:
        yield first
        first += timedelta(days=1)


def _by_day(
    span: PointSpan, zone: ZoneInfo
) -> tuple[dict[date, list[RestorePoint]], dict[date, list[RunOfDay]]]:
    points: dict[date, list[RestorePoint]] = {}
    runs: dict[date, list[RunOfDay]] = {}
    for point in span.points:
        points.setdefault(day_of(point.committed_at, zone), []).append(point)
    for run in span.runs:
        runs.setdefault(day_of(run.finished_at, zone), []).append(run)
    return points, runs


def _draw_day(
    day: date,
    points: list[RestorePoint],
    runs: list[RunOfDay],
    tongue: Tongue,
    is_chosen: bool,
) -> CalendarDay:
    outcomes = {run.outcome for run in runs} or ({"succeeded"} if points else set())
    state = next((worst for worst in _WORST if worst in outcomes), "")
    is_unusual = any(run.is_unusual for run in runs)
    said = [format_date(day, "EEEE d MMMM", locale=tongue.locale)]
    if points:
        said.append(tongue.count("{n} restore point", "{n} restore points", len(points)))
    if state:
        said.append(tongue.outcome(state))  # type: ignore[arg-type]  # one of _WORST
    if is_unusual:
        said.append(tongue.say("unusual"))
    return CalendarDay(day, points, state, is_unusual, is_chosen, ", ".join(said))


def _weekdays(tongue: Tongue) -> list[tuple[str, str]]:
    short, whole = (get_day_names(width, locale=tongue.locale) for width in ("short", "wide"))
    return [(short[day], whole[day]) for day in range(7)]


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The day of a moment in the client's calendar."""
    return at.astimezone(zone).date()
