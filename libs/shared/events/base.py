"""Every event that services exchange: frozen models, past tense, versioned.

An event carries what its readers need and no more.
Order is never assumed: models that replace an earlier state carry a `version` or `sequence`
of their producer, and a reader keeps the newer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Locale = Literal["fr", "en"]
Outcome = Literal["succeeded", "succeeded_with_warnings", "failed"]
SubscriptionState = Literal["active", "ending", "ended", "suspended", "destroyed"]
What = Literal["storage", "seats"]
"""What is ordered: bytes, or how many people may have an account."""
Answer = Literal["order", "reduce", "call"]
ReportChoice = Literal["every", "failures", "weekly"]
"""What a reader of reports gets: each, those of failures, or a week's in one mail.

Whoever has a week's in one mail has a day's failures in one, too."""
SubscriptionStep = Literal[
    "announce_end", "end", "lapse", "suspend", "resume", "reinstate", "maintain"
]
DESTRUCTION_AFTER = timedelta(days=30)
"""How long after its end a subscription's data is destroyed."""


class Part(BaseModel):
    """A value inside an event; unknown members are ignored so that producers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """What happened to one tenant.

    Members named in `secrets` are emptied in the inbox once handled, and in the
    outbox once all readers have it.
    What `outlives` the tenant is handled although all of the tenant was erased: it tells of that.
    `addressee` names the member with the one service that hears it, `speaker` the member with the
    one that says it: both are empty where the tables of the bus tell.
    """

    type: ClassVar[str]
    addressee: ClassVar[str] = ""
    speaker: ClassVar[str] = ""
    secrets: ClassVar[tuple[str, ...]] = ()
    outlives: ClassVar[bool] = False
    tenant_id: UUID


EVENTS: dict[str, type[Event]] = {}
E = TypeVar("E", bound=type[Event])


def event(name: str) -> Callable[[E], E]:
    """Registers an event class under its wire name, such as `run.finished.v1`."""

    def register(cls: E) -> E:
        if name in EVENTS:
            raise ValueError(f"two events are called {name}")
        cls.type = name
        EVENTS[name] = cls
        return cls

    return register
