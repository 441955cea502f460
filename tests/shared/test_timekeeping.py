"""Whether the time can be believed, and which is written down where that can't wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.shared import timekeeping
from libs.shared.timekeeping import MAX_GAP, MAX_STEP, Clocks

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
YEARS = 24 * 365 * 10
HOURS = st.floats(-YEARS, YEARS)


def clocks(machine: float = 0, database: float = 0, store: float = 0, now: float = 0) -> Clocks:
    """Clocks that are off by so many hours; the last belief is of now."""
    moments = [NOW + timedelta(hours=hours) for hours in (machine, database, store, now)]
    return Clocks("retention", *moments, seen_at=NOW)


def objections(*hours: float, **more: float) -> list[str]:
    return timekeeping.find_objections(clocks(*hours, **more))


def test_clocks_that_agree_and_went_on_are_believed() -> None:
    assert objections() == []
    assert objections(now=71) == [], "a service may be away over a weekend"
    assert objections(machine=0.05, store=0.05) == []
    for years in (YEARS, -YEARS):
        assert objections(machine=years), "this machine's clock"
        assert objections(database=years), "the database's"
        assert objections(store=years), "the store's"
        assert objections(now=years), "the installation's offset"
        assert objections(years, years, years, years), "all of one machine at once"
    [sentence] = objections(now=24 * 100)
    assert "100 days ahead" in sentence
    assert "services.retention clock --accept" in sentence


@given(HOURS, st.booleans())
def test_one_wrong_clock_dates_nothing(wrong: float, is_machine: bool) -> None:
    """With the other one right, what happens now is dated now, to the minutes that are believed."""
    if is_machine:
        told = timekeeping.choose_time(clocks(machine=wrong, now=wrong))
    else:
        told = timekeeping.choose_time(clocks(database=wrong))
    assert abs(told - NOW) <= MAX_GAP


@given(HOURS, HOURS)
def test_two_wrong_clocks_date_nothing_into_the_past(machine: float, database: float) -> None:
    told = timekeeping.choose_time(clocks(machine=machine, database=database, now=machine))
    assert told >= NOW - MAX_GAP
    agree = abs(machine - database) * 3600 < MAX_GAP.total_seconds()
    if agree and 0 <= machine < MAX_STEP.total_seconds() / 3600:
        assert told == NOW + timedelta(hours=machine)


@given(HOURS)
def test_an_installation_at_another_date_dates_by_it(offset: float) -> None:
    there = NOW + timedelta(hours=offset)
    meant = Clocks("ingest", NOW, NOW, None, there, seen_at=there)
    assert timekeeping.find_objections(meant) == []
    assert timekeeping.choose_time(meant) == there
    behind = Clocks("ingest", NOW - timedelta(days=1), NOW, None, there - timedelta(days=1), there)
    assert timekeeping.choose_time(behind) == there
