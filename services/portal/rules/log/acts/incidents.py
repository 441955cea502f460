"""Acts with incidents, requests for help, and plans that are paused."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class IncidentsListed(Act):
    """Some of what the hotline has open, or had."""

    code = "incidents-listed"
    which: str
    incidents: int


@dataclass(frozen=True)
class IncidentViewed(Act):
    """One incident."""

    code = "incident-viewed"
    incident: str


@dataclass(frozen=True)
class IncidentDecided(Act):
    """One incident is in hand, put off, closed, or has a note."""

    code = "incident-decided"
    incident: str
    decision: str
    note: str


@dataclass(frozen=True)
class HelpAsked(Act):
    """Somebody of a client wants help with a run."""

    code = "help-asked"
    number: int


@dataclass(frozen=True)
class PauseViewed(Act):
    """A plan that may be paused."""

    code = "pause-viewed"
    plan: str


@dataclass(frozen=True)
class PlanPaused(Act):
    """No run of a plan is expected before a day."""

    code = "plan-paused"
    plan: str
    until: str
    reason: str
