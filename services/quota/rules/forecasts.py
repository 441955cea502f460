"""When a contract will be reached, by how volume grew lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

FEWEST_DAYS = 30
MOST_DAYS = 90
WEEK = 7
CLEAR_SHARE = 2 / 3
FURTHEST = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How much more is held each week, and when the contract is reached.

    reached_on: None where it is reached already, or too far ahead to be said.
    """

    weekly_bytes: int
    reached_on: date | None


def foresee(stored_bytes: Sequence[int], contracted_bytes: int, today: date) -> Forecast | None:
    """The forecast by one figure a day, the newest last; None where there is no trend.

    It is the median of what each week added: a week's rhythm doesn't show in it, and one large
    copy concerns seven weeks of days out of at least 23. Two of three weeks must have added
    something, or it is no trend but to and fro.
    """
    days = stored_bytes[-MOST_DAYS:]
    if len(days) < FEWEST_DAYS:
        return None
    weeks = [later - earlier for earlier, later in zip(days, days[WEEK:], strict=False)]
    weekly_bytes = round(median(weeks))
    if weekly_bytes <= 0 or sum(week > 0 for week in weeks) < CLEAR_SHARE * len(weeks):
        return None
    left_bytes = contracted_bytes - days[-1]
    days_left = -(-left_bytes * WEEK // weekly_bytes)
    if left_bytes < 0 or days_left > FURTHEST.days:
        return Forecast(weekly_bytes, None)
    return Forecast(weekly_bytes, today + timedelta(days=days_left))
