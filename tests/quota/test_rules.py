"""How far a tenant may grow, and what is said before it may not."""

from __future__ import annotations

import random
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.quota.rules.accounts import Account, Allowance, Block, decide_allowance
from services.quota.rules.forecasts import Forecast, foresee
from services.quota.rules.levels import find_level, find_notice

sizes = st.integers(0, 10**15)
TODAY = date(2026, 11, 22)
GB = 10**9


@given(sizes)
def test_without_a_block_the_ceiling_is_the_contract(contracted: int) -> None:
    assert decide_allowance(contracted, None, None) == Allowance(contracted, False, "")


@given(sizes, sizes, sizes)
def test_a_block_stops_at_what_was_held_then(contracted: int, then: int, later: int) -> None:
    assert decide_allowance(contracted, Block("unpaid", then)) == Allowance(then, True, "unpaid")
    both = decide_allowance(contracted, Block("unpaid", then), Block("the deadline", later))
    assert both == Allowance(min(then, later), True, "unpaid")


@pytest.mark.parametrize(
    ("contracted", "stored", "subscription", "is_over"),
    [
        (None, 10, "active", False),
        (10, 10, "active", False),
        (10, 11, "active", True),
        (10, 11, "ending", True),
        (10, 11, "suspended", True),
        (10, 11, "ended", False),
        (10, 11, "destroyed", False),
        (0, 0, "active", False),
        (0, 1, "active", True),
    ],
)
def test_who_is_over(contracted, stored, subscription, is_over) -> None:
    account = Account(UUID(int=1), contracted, stored, subscription=subscription)
    assert account.is_over is is_over


def levels(*stored: int, contracted: int = 100) -> list[str]:
    """What is told while volume takes these values one after the other."""
    told, level = [], 0
    for stored_bytes in stored:
        after = find_level(level, stored_bytes, contracted, is_over=stored_bytes > contracted)
        if notice := find_notice(level, after):
            told.append(f"{'up' if notice.rising else 'down'} {notice.level_percent}")
        level = after
    return told


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ((79, 80, 94, 95, 99), ["up 80", "up 95"]),
        ((79, 80, 79, 80, 79, 81, 76, 80), ["up 80"]),
        ((80, 75, 74, 79, 80), ["up 80", "down 80", "up 80"]),
        ((96,), ["up 95"]),
        ((96, 91, 94, 95, 90, 89, 95), ["up 95", "down 95", "up 95"]),
        ((96, 10), ["up 95", "down 80"]),
        ((70, 101, 120), []),
        ((85, 101, 99, 85), ["up 80", "down 95"]),
        ((85, 101, 99, 100, 101, 97, 96), ["up 80"]),
        ((101, 20, 85), ["up 80"]),
    ],
)
def test_a_level_is_told_once_on_each_way(stored: tuple[int, ...], told: list[str]) -> None:
    assert levels(*stored) == told


def test_a_contract_of_nothing_has_no_levels() -> None:
    assert levels(0, 0, contracted=0) == []
    assert levels(0, 5, 0, 5, contracted=0) == []


@given(st.lists(st.integers(0, 130), max_size=60))
def test_no_level_is_told_twice_on_one_way(stored: list[int]) -> None:
    """Between two words of one kind about a level lies the other, or the contract was passed."""
    last: dict[int, bool] = {}
    level = 0
    for stored_bytes in stored:
        after = find_level(level, stored_bytes, 100, is_over=stored_bytes > 100)
        if stored_bytes > 100:
            last.clear()
        if notice := find_notice(level, after):
            if notice.rising:
                assert last.get(notice.level_percent) is not True
                last[notice.level_percent] = True
            else:
                for at in (80, 95):
                    if at >= notice.level_percent:
                        last[at] = False
        level = after


def grown(days: int, daily: float, start: float = 50 * GB) -> list[int]:
    return [round(start + daily * day) for day in range(days)]


def test_steady_growth_reaches_the_contract_on_its_day() -> None:
    stored = grown(60, GB)  # 109 GB today
    assert foresee(stored, 150 * GB, TODAY) == Forecast(7 * GB, TODAY + timedelta(days=41))


def test_one_large_copy_is_no_trend_and_hides_none() -> None:
    for place in range(1, 60):
        flat = [50 * GB] * place + [80 * GB] * (60 - place)
        assert foresee(flat, 100 * GB, TODAY) is None, place
        growing = [one + (30 * GB if n >= place else 0) for n, one in enumerate(grown(60, GB))]
        forecast = foresee(growing, 200 * GB, TODAY)
        assert forecast is not None
        assert forecast.weekly_bytes == 7 * GB, place


@pytest.mark.parametrize(
    "stored",
    [
        [],
        grown(29, GB),
        [50 * GB] * 90,
        grown(90, -GB, 200 * GB),
        [50 * GB + (day % 2) * GB for day in range(90)],
    ],
)
def test_without_a_trend_nothing_is_foreseen(stored: list[int]) -> None:
    assert foresee(stored, 100 * GB, TODAY) is None


def test_noise_is_no_trend() -> None:
    chance = random.Random(5)
    foreseen = [
        foresee([50 * GB + chance.randrange(GB) for _ in range(90)], 60 * GB, TODAY)
        for _ in range(200)
    ]
    assert sum(one is not None for one in foreseen) <= 10


def test_a_rhythm_of_weeks_is_seen_through() -> None:
    """Copies on working days alone, or one a week."""
    working = [50 * GB]
    for day in range(1, 90):
        working.append(working[-1] + (GB if day % 7 < 5 else 0))
    weekly = [50 * GB + (day // 7) * 5 * GB for day in range(90)]
    for stored in (working, weekly):
        forecast = foresee(stored, stored[-1] + 10 * GB, TODAY)
        assert forecast == Forecast(5 * GB, TODAY + timedelta(days=14))


def test_what_is_reached_or_too_far_ahead_has_no_day() -> None:
    stored = grown(60, GB)
    assert foresee(stored, 100 * GB, TODAY) == Forecast(7 * GB, None)
    assert foresee(stored, 10**6 * GB, TODAY) == Forecast(7 * GB, None)


@given(st.lists(st.integers(0, 10**15), max_size=120), st.integers(0, 10**15))
def test_a_day_that_is_foreseen_lies_ahead(stored: list[int], contracted: int) -> None:
    forecast = foresee(stored, contracted, TODAY)
    if forecast is not None and forecast.reached_on is not None:
        assert TODAY <= forecast.reached_on <= TODAY + timedelta(days=3 * 365)
        assert forecast.weekly_bytes > 0
