"""When the mails of a day and of a week are due, and which time they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.rules.choices import News

Period = Literal["day", "week"]

MORNING = time(7)
LONGEST = timedelta(days=35)
"""A review tells of no longer a time, however long reporting was away."""


@dataclass(frozen=True, slots=True)
class ReviewedUntil:
    """Up to when a client's readers were told of days, and of weeks."""

    tenant_id: UUID
    day_until: datetime
    week_until: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """A mail that is due, of the time after `since` up to `until`."""

    period: Period
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """A run of a plan that was reported, or one that was missed, and when it was."""

    plan_id: UUID
    at: datetime
    news: News


def find_morning(now: datetime, zone: ZoneInfo) -> datetime:
    """Returns the newest seven in the morning."""
    today = now.astimezone(zone).date()
    found = datetime.combine(today, MORNING, zone).astimezone(UTC)
    if found > now:
        found = datetime.combine(today - timedelta(days=1), MORNING, zone).astimezone(UTC)
    return found


def find_next_morning(now: datetime, zone: ZoneInfo) -> datetime:
    """Returns the next seven in the morning."""
    day = find_morning(now, zone).astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def find_monday(now: datetime, zone: ZoneInfo) -> datetime:
    """Returns the newest Monday's seven in the morning."""
    day = find_morning(now, zone).astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    return datetime.combine(monday, MORNING, zone).astimezone(UTC)


def find_due(told: ReviewedUntil, now: datetime, zone: ZoneInfo) -> list[Review]:
    """Returns which mails are due: a week's on Monday, in which Sunday's are, a day's on others.

    Each begins where the one before ended, so that nothing is told twice, or never.
    """
    monday, morning = find_monday(now, zone), find_morning(now, zone)
    due: list[Review] = []
    day_since = told.day_until
    if told.week_until < monday:
        a_week_ago = find_monday(monday - timedelta(days=1), zone)
        since = max(min(told.week_until, a_week_ago), monday - LONGEST)
        due.append(Review("week", since, monday))
        day_since = max(day_since, monday)
    if day_since < morning:
        due.append(Review("day", max(day_since, morning - LONGEST), morning))
    return due
