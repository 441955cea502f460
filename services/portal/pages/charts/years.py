"""What was stored against what was contracted, day by day, with what is to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from markupsafe import Markup

from libs.shared.words.tongue import Tongue
from services.portal.pages.charts.frames import HEIGHT, WIDTH, Scale, frame, path, scale_to, word
from services.portal.store.volume_days import Day

_SHORTEST = timedelta(days=30)
_FARTHEST = timedelta(days=120)


@dataclass(frozen=True)
class _Time:
    """Days as places from left to right."""

    first: date
    last: date

    def x(self, day: date) -> float:
        return (day - self.first).days / max((self.last - self.first).days, 1) * WIDTH


def list_months(days: Sequence[Day]) -> list[Day]:
    """The last day that is known of each month, the newest first."""
    return list({(one.day.year, one.day.month): one for one in days}.values())[::-1]


def draw_year(
    days: Sequence[Day], reached_on: date | None, deadline_at: datetime | None, tongue: Tongue
) -> Markup:
    """Days, oldest first; reached_on: when the contract will be reached; empty before two days."""
    if len(days) < 2:
        return Markup()
    newest = days[-1]
    deadline = deadline_at.astimezone(tongue.zone).date() if deadline_at else None
    horizon = newest.day + _FARTHEST
    ahead = [day for day in (reached_on, deadline) if day and newest.day < day <= horizon]
    last = max([newest.day, *(day + timedelta(days=7) for day in ahead)])
    time = _Time(min(days[0].day, newest.day - _SHORTEST), last)
    scale = scale_to(max(max(one.stored_bytes, one.contracted_bytes or 0) for one in days))
    stored = [(time.x(one.day), scale.y(one.stored_bytes)) for one in days]
    marks = [
        path("stored", [(stored[0][0], HEIGHT), *stored, (stored[-1][0], HEIGHT)], closed=True),
        *(
            path(
                "over",
                [
                    *((time.x(one.day), scale.y(one.stored_bytes)) for one in part),
                    *((time.x(one.day), scale.y(one.contracted_bytes or 0)) for one in part[::-1]),
                ],
                closed=True,
            )
            for part in _each_overage(days)
        ),
        path("stored-line", stored),
        path("contract", _steps(days, time, scale)),
    ]
    words = [*_name_months(time, tongue)]
    if reached_on in ahead and newest.contracted_bytes:
        marks.append(
            path("forecast", [stored[-1], (time.x(reached_on), scale.y(newest.contracted_bytes))])
        )
    if deadline in ahead:
        x = time.x(deadline)
        marks.append(path("deadline", [(x, 0), (x, HEIGHT)]))
        words.append(word(x, tongue.say("Deadline"), "mark", y=9))
    label = tongue.say(
        "Stored volume from {first} to {last}: {stored} of {contracted} at the end",
        first=tongue.calendar_day(days[0].day),
        last=tongue.calendar_day(newest.day),
        stored=tongue.size(newest.stored_bytes),
        contracted=tongue.size(newest.contracted_bytes or 0),
    )
    return frame(label, scale, tongue, marks, words)


def _steps(days: Sequence[Day], time: _Time, scale: Scale) -> Iterator[tuple[float, float]]:
    """The contract as a line that goes up and down at right angles, on to the end of the chart."""
    before: float | None = None
    for one in days:
        if one.contracted_bytes is None:
            continue
        height = scale.y(one.contracted_bytes)
        if before is not None and height != before:
            yield time.x(one.day), before
        if height != before:
            yield time.x(one.day), height
        before = height
    if before is not None:
        yield WIDTH, before


def _each_overage(days: Sequence[Day]) -> Iterator[list[Day]]:
    """Days in a row on which more was stored than contracted."""
    part: list[Day] = []
    for one in days:
        if one.contracted_bytes is not None and one.stored_bytes > one.contracted_bytes:
            part.append(one)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _name_months(time: _Time, tongue: Tongue) -> Iterator[Markup]:
    """The first of each month; on small screens every third has its name."""
    day = (time.first.replace(day=1) + timedelta(days=32)).replace(day=1)
    while day <= time.last:
        if time.x(day) < WIDTH * 0.97:
            name = tongue.short_month(day)
            yield word(time.x(day), name, "" if day.month % 3 == 1 else "minor")
        day = (day + timedelta(days=32)).replace(day=1)
