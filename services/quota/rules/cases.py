"""The life of an overage case: which step is due, and when the next one will be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from libs.shared.events import Answer

PERIOD = timedelta(days=30)
"""From a case's opening to its deadline, and from that to the one that no answer helps against."""
PAUSE = timedelta(days=3)
"""A case that opens again within so long goes on."""
REMINDER_DAYS = (7, 14, 21, 27, 29)
"""Days of the last PERIOD before a deadline."""
ANSWERED_DAYS = (51, 57, 59)
"""Those of the PERIOD that an answer adds, before it ends as well."""


@dataclass(frozen=True, slots=True)
class Case:
    """A tenant stores more than it contracted.

    passed_at: when that began, the last time. deadline_at: when growth is blocked without an
    answer; final_at: whatever was answered. reminded_day: the last day of a reminder that was used.
    answered_at: of the answer; first_answered_at: of the first one, which must have come before
    the deadline. ceiling_bytes: what was held when a deadline blocked growth.
    reason: an operator's last words.
    """

    case_id: UUID
    opened_at: datetime
    passed_at: datetime
    deadline_at: datetime
    final_at: datetime
    version: int = 0
    reminded_day: int = 0
    answer: Answer | None = None
    answered_at: datetime | None = None
    first_answered_at: datetime | None = None
    ceiling_bytes: int | None = None
    reason: str = ""
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def blocks_at(self) -> datetime:
        """When a deadline blocks growth."""
        is_answered = self.first_answered_at and self.first_answered_at <= self.deadline_at
        return self.final_at if is_answered else self.deadline_at

    @property
    def reminder_days(self) -> tuple[int, ...]:
        """The days on which its client is reminded, counted as REMINDER_DAYS are."""
        has_more = self.blocks_at > self.deadline_at
        return (*REMINDER_DAYS, *ANSWERED_DAYS) if has_more else REMINDER_DAYS

    @property
    def next_at(self) -> datetime | None:
        """When something is due again as time goes by."""
        if not self.is_open or self.ceiling_bytes is not None:
            return None
        ahead = [self._begins(day) for day in self.reminder_days if day > self.reminded_day]
        return min([self.blocks_at, *ahead])

    def count_past(self, now: datetime) -> int:
        """The last of its reminder days that has begun; 0 before the first."""
        return max((day for day in self.reminder_days if self._begins(day) <= now), default=0)

    def _begins(self, day: int) -> datetime:
        return self.deadline_at - PERIOD + timedelta(days=day)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a case, and how it is afterwards."""

    what: Literal["opened", "reminded", "blocked", "closed"]
    case: Case


def find_turn(
    case: Case | None, tenant_id: UUID, stored_bytes: int, now: datetime, *, is_over: bool
) -> Step | None:
    """What the volume makes of a tenant's newest case: it opens, goes on after a pause, closes."""
    if case is None or not case.is_open:
        return _open(case, tenant_id, stored_bytes, now) if is_over else None
    if not is_over:
        return Step("closed", replace(case, closed_at=now, ceiling_bytes=None))
    return None


def find_due(case: Case, stored_bytes: int, now: datetime) -> Step | None:
    """What time makes of an open case; of reminders that were missed only the newest is due."""
    if not case.is_open or case.ceiling_bytes is not None:
        return None
    if now >= case.blocks_at:
        return Step("blocked", _block(case, stored_bytes))
    day = case.count_past(now)
    return Step("reminded", replace(case, reminded_day=day)) if day > case.reminded_day else None


def _open(before: Case | None, tenant_id: UUID, stored_bytes: int, now: datetime) -> Step:
    """A new case, or the last one once more, whose deadline may have passed meanwhile."""
    if before is None or before.closed_at is None or now - before.closed_at > PAUSE:
        case_id = uuid5(tenant_id, f"overage {now.isoformat()}")
        return Step("opened", Case(case_id, now, now, now + PERIOD, now + 2 * PERIOD))
    case = replace(before, passed_at=now, closed_at=None)
    if now >= case.blocks_at:
        return Step("blocked", _block(case, stored_bytes))
    # The mail on its opening stands for the reminders of the days that were skipped.
    return Step("opened", replace(case, reminded_day=case.count_past(now)))


def _block(case: Case, stored_bytes: int) -> Case:
    return replace(case, ceiling_bytes=stored_bytes, reminded_day=REMINDER_DAYS[-1])


def take_answer(case: Case, answer: Answer, answered_at: datetime) -> Case:
    """The case with an answer to it, unless it has a newer one.

    An answer that was given before the deadline lifts the block of that deadline, however late it
    arrives; a later one is kept and lifts nothing.
    """
    first = min(case.first_answered_at or answered_at, answered_at)
    taken = replace(case, first_answered_at=first)
    if case.answered_at is None or answered_at > case.answered_at:
        taken = replace(taken, answer=answer, answered_at=answered_at)
    if taken.blocks_at > case.blocks_at:
        taken = replace(taken, ceiling_bytes=None)
    return taken


def extend(case: Case, until: datetime, reason: str, now: datetime) -> Case:
    """The case with a later deadline, which ends the block of the one before.

    The new deadline has reminders of its own. One that isn't later than the last changes nothing.
    """
    if until <= case.deadline_at or until <= now:
        return case
    return _move(case, until, until + PERIOD, reason, now)


def release(case: Case, reason: str, now: datetime) -> Case:
    """The case without the block of its deadline, for a last period, whatever is answered."""
    if case.ceiling_bytes is None:
        return replace(case, reason=reason)
    return _move(case, now + PERIOD, now + PERIOD, reason, now)


def _move(
    case: Case, deadline_at: datetime, final_at: datetime, reason: str, now: datetime
) -> Case:
    moved = replace(
        case, deadline_at=deadline_at, final_at=final_at, ceiling_bytes=None, reason=reason
    )
    return replace(moved, reminded_day=moved.count_past(now))
