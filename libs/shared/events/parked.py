"""Events of events: which could not be handled, and which never came (each service, portal)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from libs.shared.events.base import Event, event

MOST_LISTED = 2_000
"""Ids in one list, some 80 kB; what is beyond them is listed once these are answered."""
_Ids = Annotated[tuple[UUID, ...], Field(max_length=MOST_LISTED)]


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

    addressee = "service"
    speaker = "service"

    service: str
    ping_id: UUID
    sent_at: datetime


@event("events.listed.v1")
class EventsListed(Event):
    """A service listed what it said to a reader, who had not yet told that it has all of it.

    up_to: the service's number of the last one.
    """

    addressee = "reader"
    speaker = "service"
    service: str
    reader: str
    event_ids: _Ids
    up_to: Annotated[int, Field(ge=0, lt=2**63)]


@event("events.compared.v1")
class EventsCompared(Event):
    """A reader compared a service's list with what came: it has all up to a number, or lacks some.

    lacking: none where it has all; these are published again.
    """

    addressee = "service"
    speaker = "reader"
    service: str
    reader: str
    lacking: _Ids
    up_to: Annotated[int, Field(ge=0, lt=2**63)]
