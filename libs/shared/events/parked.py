"""Events of events that a service could not handle (each service, portal)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, event


@event("event.parked.v1")
class EventParked(Event):
    """An event failed too often, or can't be read, and waits for a person in a service's inbox.

    The tenant is all zeros where it is none's.
    """

    service: str
    event_id: UUID
    event_type: str
    error: str
    attempts: int
    parked_at: datetime


@event("parked.decided.v1")
class ParkedDecided(Event):
    """An operator decided what becomes of a parked event of one service."""

    service: str
    event_id: UUID
    decision: Literal["replay", "drop"]
    reason: str
    by: str


@event("parked.settled.v1")
class ParkedSettled(Event):
    """A parked event waits no longer: it is handled again, or counts as done."""

    service: str
    event_id: UUID
    settled_at: datetime


@event("service.pinged.v1")
class ServicePinged(Event):
    """A service asks its own queue whether its consumer lives."""

    service: str
    ping_id: UUID
    sent_at: datetime
