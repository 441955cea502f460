"""Which time somebody means who moves the clock of an installation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devstack import clock

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DAY = 86_400


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("+31d", 0, 31 * DAY),
        ("+31d", 31 * DAY, 62 * DAY),
        ("+12h", 0, DAY // 2),
        ("+90m", 0, 5400),
        ("+2w", -DAY, 13 * DAY),
        ("2026-12-24T12:00+00:00", 77, 25 * DAY),
        ("2026-11-28T12:00+00:00", 0, -DAY),
        ("reset", 31 * DAY, 0),
    ],
)
def test_a_step_goes_on_from_the_installations_time(text: str, before: int, after: int) -> None:
    assert clock.find_offset(text, before, NOW) == after


def test_a_moment_without_a_zone_is_the_machines() -> None:
    there = NOW.astimezone() + timedelta(days=1)
    assert clock.find_offset(f"{there:%Y-%m-%dT%H:%M}", 0, NOW) == DAY


@pytest.mark.parametrize(
    "text", ["", "31d", "+31", "+3y", "-1d", "tomorrow", "2026-13-01", "+1.5d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(clock.NoTime):
        clock.find_offset(text, 0, NOW)
