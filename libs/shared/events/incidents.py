"""Events of what the hotline has open, and of runs that never came (reporting, portal)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, event

IncidentDecision = Literal["acknowledge", "snooze", "close", "note"]


@event("run.missed.v1")
class RunMissed(Event):
    """A plan's run was due and none has come: the newest such time, and how many since the first.

    expected_at: when the next is due; None where the plan's rhythm has no next time.
    """

    plan_id: UUID
    missed_at: datetime
    since: datetime
    times: int
    expected_at: datetime | None


class IncidentReported(Event):
    """An incident as it is now; the newer version wins, counted by reporting for each incident.

    plan_id: None where no plan is concerned. times: how often it was seen. closed_by: the person
    who closed it, empty where it is open or what it was about is over.
    """

    incident_id: UUID
    version: int
    plan_id: UUID | None
    cause: str
    opened_at: datetime
    last_at: datetime
    times: int
    escalated_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    note: str = ""
    closed_at: datetime | None = None
    closed_by: str = ""


@event("incident.opened.v1")
class IncidentOpened(IncidentReported):
    """The hotline has something new to look after."""


@event("incident.changed.v1")
class IncidentChanged(IncidentReported):
    """It was seen again, escalated, acknowledged, put off, or somebody noted something."""


@event("incident.closed.v1")
class IncidentClosed(IncidentReported):
    """What it was about is over, or a person closed it."""


@event("incident.decided.v1")
class IncidentDecided(Event):
    """An operator takes an incident in hand, puts it off, closes it, or notes something.

    until: of a snooze alone.
    """

    decision_id: UUID
    incident_id: UUID
    decision: IncidentDecision
    until: datetime | None
    note: str
    by: str
    decided_at: datetime


@event("help.asked.v1")
class HelpAsked(Event):
    """Somebody of a client wants help with a run."""

    secrets = ("message",)

    help_id: UUID
    run_id: UUID
    plan_id: UUID
    number: int
    message: str
    by: str
    email: str
    asked_at: datetime


@event("plan.paused.v1")
class PlanPaused(Event):
    """No run of a plan is expected before a day, unless one comes: its machine is retired or off.

    The newer version wins, counted by the portal for each plan.
    """

    plan_id: UUID
    version: int
    until: datetime
    reason: str
    by: str
    paused_at: datetime
