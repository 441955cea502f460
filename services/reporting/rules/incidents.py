"""Incidents: what the hotline is told once, and not again with every run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.shared.reasons import Reason

Cause = Literal[
    "failed",
    "abandoned",
    "refused",
    "missed",
    "damage",
    "unusual",
    "undeliverable",
    "parked",
    "waiting",
    "called",
    "help",
]
NOBODY = UUID(int=0)
"""Whose a matter is that concerns no client, or of which only the end is known."""
Step = Literal["opened", "escalated", "closed"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
OF_RUNS: frozenset[Cause] = frozenset({"failed", "abandoned", "refused", "missed"})
"""What the plan's next good run ends; the end of a subscription does, too."""

ESCALATED_AFTER_TIMES = 3
ESCALATED_AFTER = timedelta(days=3)
DIGEST_FROM, DIGEST_UNTIL = time(7), time(12)
"""The morning digest is written at the first; until the second where the service was away."""
LISTED_BEFORE = 10
"""How many runs before the failed one a mail lists."""
SETTLED_KEPT = timedelta(days=35)
"""How long is known that something is over: as long as an event about it may be late."""

_ABANDONED = frozenset({"abandoned", "overtaken"})
_REFUSED = frozenset({"growth-blocked", "subscription-ended", "subscription-suspended"})


@dataclass(frozen=True, slots=True)
class Incident:
    """One client, one plan or none, one cause, for as long as it lasts.

    times: how often it was seen. last_run: the number of the newest run that belongs to it, or of
    the last that came; 0 where it isn't about runs. closed_by: a person; None where it is over.
    """

    tenant_id: UUID
    incident_id: UUID
    plan_id: UUID | None
    cause: Cause
    opened_at: datetime
    last_at: datetime
    last_run: int
    times: int
    version: int = 1
    escalated_at: datetime | None = None
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    note: str = ""
    closed_at: datetime | None = None
    closed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that an incident is about: a pack, an address, an event, a case.

    sequence: of two words on it the higher is the newer.
    """

    cause: Cause
    name: str
    sequence: int


@dataclass(frozen=True, slots=True)
class NamedIncident:
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


def sequence_of(at: datetime) -> int:
    """The sequence of a word that has a time and no version: microseconds."""
    return round(at.timestamp() * 1_000_000)


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
