"""Incidents: what the hotline is told once, and not again with every run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.shared.reasons import Reason

Cause = Literal["failed", "abandoned", "refused", "missed", "unusual"]
Step = Literal["opened", "escalated"]
CAUSES: tuple[Cause, ...] = get_args(Cause)

ESCALATED_AFTER_TIMES = 3
ESCALATED_AFTER = timedelta(days=3)
DIGEST_FROM, DIGEST_UNTIL = time(7), time(12)
"""The morning digest is written at the first; until the second where the service was away."""
LISTED_BEFORE = 10
"""How many runs before the failed one a mail lists."""

_ABANDONED = frozenset({"abandoned", "overtaken"})
_REFUSED = frozenset({"growth-blocked", "subscription-ended", "subscription-suspended"})


@dataclass(frozen=True, slots=True)
class Incident:
    """One plan, one cause, for as long as it lasts.

    times: how many runs ended so, or were missed. last_run: the number of the newest of them, or
    of the last that came.
    """

    tenant_id: UUID
    incident_id: UUID
    plan_id: UUID
    cause: Cause
    opened_at: datetime
    last_at: datetime
    last_run: int
    times: int
    escalated_at: datetime | None = None
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An open incident, with the names of what it is about; empty where they aren't known."""

    incident: Incident
    client: str
    plan: str
    machine: str


def find_cause(reason: Reason | None) -> Cause:
    """Which incident a failed run belongs to."""
    code = reason.code if reason else ""
    if code in _ABANDONED:
        return "abandoned"
    return "refused" if code in _REFUSED else "failed"


def is_due_again(incident: Incident, now: datetime) -> bool:
    """Is the hotline told once more of an incident that goes on?

    Once, after some times or days; not while somebody has it in hand or has put it off.
    """
    if incident.escalated_at is not None or incident.acknowledged_by is not None:
        return False
    if incident.snoozed_until is not None and now < incident.snoozed_until:
        return False
    lasts = now - incident.opened_at
    return incident.times > ESCALATED_AFTER_TIMES or lasts >= ESCALATED_AFTER


def find_digest(now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment of this morning of which a digest may be written now; None: not at this hour."""
    local = now.astimezone(zone)
    if not DIGEST_FROM <= local.time() < DIGEST_UNTIL:
        return None
    return datetime.combine(local.date(), DIGEST_FROM, zone)
