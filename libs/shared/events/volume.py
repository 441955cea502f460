"""Events of the volume and of what happens when it is passed (ingest, retention, quota)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Answer, Event, Part, event


@event("volume.changed.v1")
class VolumeChanged(Event):
    """The bytes kept for a tenant changed; the newer sequence wins."""

    stored_bytes: int
    protected_bytes: int
    sequence: int


@event("allowance.changed.v1")
class AllowanceChanged(Event):
    """How far a tenant may grow, decided by quota; the newer version wins.

    reason: in the client's language, or an operator's words. ended_at: the deadline of which the
    reason tells, None where an operator blocked growth.
    """

    version: int
    ceiling_bytes: int
    blocked: bool
    reason: str = ""
    ended_at: datetime | None = None


@event("volume.approached.v1")
class VolumeApproached(Event):
    """Stored volume came up to a share of the contract, or, not `rising`, is well below it again.

    reached_on: when the contract will be reached as things go; None where there is no trend.
    """

    level_percent: int
    rising: bool
    stored_bytes: int
    contracted_bytes: int
    reached_on: date | None
    at: datetime


@event("volume.counted.v1")
class VolumeCounted(Event):
    """What a tenant held at the end of a day (UTC); the newer version of the day wins.

    ceiling_bytes: where growth stopped, None where it went on.
    reached_on: when the contract will be reached as things go, told of the newest day alone; None
    where there is no trend.
    """

    day: date
    version: int
    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int | None
    ceiling_bytes: int | None
    reached_on: date | None


class PlanVolume(Part):
    """What a plan protects now, and what its runs of the last 30 days sent."""

    plan_id: UUID
    plan_name: str
    hostname: str
    protected_bytes: int
    sent_bytes: int


class OverageReported(Event):
    """An overage case as it is now; its newer version wins.

    passed_at: when the contract was passed, the last time if the case went on after a pause.
    deadline_at: when growth is blocked without an answer; final_at: whatever was answered.
    ceiling_bytes: where growth stops, None as long as it goes on.
    weekly_bytes: how much more is held each week; None where there is no trend.
    reason: an operator's last words on the case.
    fills: what fills the volume, the plans that protect most first, ten at most.
    """

    case_id: UUID
    version: int
    opened_at: datetime
    passed_at: datetime
    deadline_at: datetime
    final_at: datetime
    stored_bytes: int
    contracted_bytes: int
    ceiling_bytes: int | None
    reached_on: date | None
    weekly_bytes: int | None
    answer: Answer | None
    reason: str
    fills: tuple[PlanVolume, ...]


@event("overage.opened.v1")
class OverageOpened(OverageReported):
    """More is stored than is contracted: a case opened, or goes on after a pause."""


@event("overage.reminded.v1")
class OverageReminded(OverageReported):
    """A case is still open on a day on which its client is reminded; `day` of the 30, or of 60."""

    day: int


@event("overage.extended.v1")
class OverageExtended(OverageReported):
    """A case has another deadline, by an operator or by an answer that was late on its way."""


@event("overage.blocked.v1")
class OverageBlocked(OverageReported):
    """Growth ends at the ceiling, by a deadline or by an operator."""


@event("overage.closed.v1")
class OverageClosed(OverageReported):
    """No more is stored than is contracted, or the subscription ended."""


@event("overage.answered.v1")
class OverageAnswered(Event):
    """An administrator of the client said what they will do; the newest answer counts."""

    case_id: UUID
    answer: Answer
    by: str
    answered_at: datetime


@event("overage.decided.v1")
class OverageDecided(Event):
    """An operator extended a deadline, blocked or unblocked growth; the newer version wins."""

    decision_id: UUID
    version: int
    decision: Literal["extend", "block", "unblock"]
    until: datetime | None
    reason: str
    by: str
    decided_at: datetime
