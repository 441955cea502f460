"""When a plan's run should have come, and when it is missed that it didn't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, takewhile
from uuid import UUID

from libs.shared.events import SubscriptionState
from services.reporting.rules import plans, usual

SILENT_AFTER = timedelta(days=7)
"""How long a plan may be silent whose rhythm can't be read, or has no time to come."""
LEAST_GRACE = timedelta(hours=1)
EARLY = timedelta(minutes=5)
"""A run that ended so shortly before its time was that time's: clocks differ."""
LONGEST_SILENCE = timedelta(minutes=5)
SETTLED_AFTER = timedelta(minutes=15)
"""How long reporting hears without a break before it trusts that it has heard all."""
TOLD_DAILY_FOR = timedelta(days=7)
_A_DAY, _A_WEEK = timedelta(hours=20), timedelta(days=7) - timedelta(hours=4)
_MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """When the next run of a plan is expected, and missed: neither where its rhythm has no next.

    Without expected_at nothing is expected until due_at: the plan is paused, or not watched yet.
    last_run: the number of the newest run that ended, 0 for none. since, times: the first time
    that was missed after it, and how many were. told_at: when its readers were last told.
    """

    tenant_id: UUID
    plan_id: UUID
    schedule: str
    timezone: str
    watched_since: datetime
    last_run: int
    expected_at: datetime | None
    due_at: datetime | None
    since: datetime | None = None
    times: int = 0
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """The newest time that was missed, how many were with it, and the first that wasn't yet.

    More than a thousand are not counted.
    """

    at: datetime
    times: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Window:
    """An announced maintenance: a run that is due in it need not come."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Hearing:
    """When reporting last heard its own ping by way of the broker, and since when without a break.

    What others said before a ping was put in the same queue before it.
    """

    heard_at: datetime
    steady_since: datetime


def find_grace(durations: Sequence[timedelta], setting: timedelta | None) -> timedelta:
    """How long after its time a run is waited for: twice as long as it usually takes."""
    if setting is not None:
        return setting
    found = usual.figures.find_usual([round(lasted.total_seconds()) for lasted in durations])
    return max(LEAST_GRACE, timedelta(seconds=2 * found.median)) if found else LEAST_GRACE


def find_expected(schedule: str, timezone: str, after: datetime) -> datetime:
    """Returns when a plan is to run next, in UTC; within a week where its rhythm can't be read."""
    found = plans.find_next_report(schedule, timezone, after)
    return found.astimezone(UTC) if found else after + SILENT_AFTER


def find_after_run(
    schedule: str, timezone: str, finished_at: datetime, now: datetime
) -> datetime | None:
    """Returns when the next run is expected after one that ended.

    Not by a time that is still to come: a clock was ahead, and nothing would be missed for long.
    """
    return find_expected(schedule, timezone, min(finished_at, now) + EARLY)


def find_excused(
    schedule: str, timezone: str, at: datetime | None, windows: Sequence[Window]
) -> datetime | None:
    """Returns the first time from a moment on that lies in no maintenance."""
    for window in windows:  # in their order
        if at is not None and window.begins_at <= at < window.ends_at:
            before = window.ends_at - timedelta(seconds=1)
            at = find_expected(schedule, timezone, before)
    return at


def find_due(at: datetime, grace: timedelta, windows: Sequence[Window]) -> datetime:
    """Returns when a run that was expected at a moment is missed.

    One that a maintenance may have cut off, or kept from ending, has its grace again after it.
    """
    due_at = at + grace
    for window in windows:  # in their order
        if at < window.begins_at < due_at:
            due_at = max(due_at, window.ends_at + grace)
    return due_at


def find_missed(
    schedule: str,
    timezone: str,
    expected_at: datetime,
    grace: timedelta,
    now: datetime,
    windows: Sequence[Window] = (),
) -> Missed | None:
    """Says what was missed up to now, the newest only; None where there is time left.

    expected_at lies in no maintenance.
    """
    if find_due(expected_at, grace, windows) > now:
        return None

    def is_excused(at: datetime) -> bool:
        return any(window.begins_at <= at < window.ends_at for window in windows)

    each = (at.astimezone(UTC) for at in plans.each_run(schedule, timezone, expected_at))
    later = (at for at in each if not is_excused(at))
    is_over = partial(_is_over, grace=grace, windows=windows, now=now)
    over = [expected_at, *islice(takewhile(is_over, later), _MOST_COUNTED)]
    newest = over[-1]
    if len(over) > _MOST_COUNTED:
        before = now - grace + timedelta(seconds=1)
        last = next(plans.each_run(schedule, timezone, before, backwards=True), newest)
        newest = last.astimezone(UTC)
    next_at = find_expected(schedule, timezone, newest)
    return Missed(newest, len(over), find_excused(schedule, timezone, next_at, windows))


def _is_over(at: datetime, grace: timedelta, windows: Sequence[Window], now: datetime) -> bool:
    return find_due(at, grace, windows) <= now


def is_watched(subscription: SubscriptionState) -> bool:
    """Whether runs are expected of a client at all."""
    return subscription in {"active", "ending"}


def is_due_again(since: datetime, told_at: datetime | None, now: datetime) -> bool:
    """Are a plan's readers told of one more miss? Once a day, and after a week once a week."""
    if told_at is None:
        return True
    return now - told_at >= (_A_DAY if now - since < TOLD_DAILY_FOR else _A_WEEK)


def follow(known: Hearing | None, heard_at: datetime) -> Hearing:
    """What is known of the hearing once another ping came."""
    if known is None or not timedelta(0) <= heard_at - known.heard_at <= LONGEST_SILENCE:
        return Hearing(heard_at, heard_at)
    return Hearing(heard_at, known.steady_since)


def has_received_all(hearing: Hearing, now: datetime) -> bool:
    """Whether who hasn't been heard has said nothing, and not just wasn't listened to."""
    is_fresh = now - hearing.heard_at <= LONGEST_SILENCE
    return is_fresh and hearing.heard_at - hearing.steady_since >= SETTLED_AFTER
