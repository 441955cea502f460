"""Events of the end of a client's data (retention, portal)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, Locale, event
from libs.shared.reasons import Reason


@event("destruction.scheduled.v1")
class DestructionScheduled(Event):
    """An ended subscription's data has a day on which it is destroyed."""

    ended_at: datetime
    due_at: datetime
    version: int


DestructionState = Literal["scheduled", "waiting", "running", "completed", "held", "cancelled"]


@event("destruction.progressed.v1")
class DestructionProgressed(Event):
    """How a destruction stands; the newer version wins, counted by retention for each tenant.

    objects_left: in the bucket, as far as is known; None before they were counted.
    reasons: what it waits for, or what the store won't delete yet.
    """

    outlives = True

    version: int
    state: DestructionState
    due_at: datetime | None
    objects_left: int | None
    reasons: tuple[Reason, ...] = ()


@event("destruction.asked.v1")
class DestructionAsked(Event):
    """Retention is about to destroy a tenant's keys, and asks whether the end still stands."""

    destruction_id: UUID
    version: int
    ended_at: datetime


@event("destruction.permitted.v1")
class DestructionPermitted(Event):
    """From now on the end can't be taken back: what the certificate says of client and end."""

    secrets = ("client", "reason")

    destruction_id: UUID
    version: int
    client: str
    locale: Locale
    reason: str
    permitted_at: datetime


@event("destruction.decided.v1")
class DestructionDecided(Event):
    """An operator confirms a destruction that waits, holds one, or releases it.

    The newer version wins, counted by the portal for each tenant. ended_at: the end that is
    confirmed, and none other. until: a hold's end, None where it has none.
    """

    decision_id: UUID
    version: int
    decision: Literal["confirm", "hold", "release"]
    by: str
    ended_at: datetime | None
    until: datetime | None
    reason: str
    decided_at: datetime


@event("destruction.started.v1")
class DestructionStarted(Event):
    """Nothing of a tenant is left in the bucket: each service deletes its rows now.

    again: by the ledger of erasure, after a database from before was restored.
    """

    outlives = True

    destruction_id: UUID
    version: int
    again: bool = False


@event("tenant.erased.v1")
class TenantErased(Event):
    """A service deleted what it had of a tenant: how many rows of which table.

    kept: the table of what stays, and on which ground.
    """

    outlives = True

    destruction_id: UUID
    service: str
    rows: dict[str, int]
    kept: dict[str, str]


@event("destruction.completed.v1")
class DestructionCompleted(Event):
    """All of a tenant is destroyed: the certificate, signed, as JSON text.

    again: as in destruction.started; it was mailed before then.
    """

    outlives = True

    destruction_id: UUID
    certificate: str
    again: bool = False
