"""Events of what is kept, held, damaged or reduced (retention, portal)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, event
from libs.shared.reasons import Reason


@event("versions.expired.v1")
class VersionsExpired(Event):
    """Old versions of a plan were forgotten, or restore points that would have lost some.

    restore_points: numbers of runs that can't be browsed any more; oldest_kept and later can.
    """

    plan_id: UUID
    oldest_kept: int
    restore_points: tuple[int, ...]
    versions: int
    size_bytes: int
    expired_at: datetime


@event("expiry.held.v1")
class ExpiryHeld(Event):
    """So much of a plan is gone that nothing of it expires until an operator clears that.

    number: the run in which it was seen; since: the restore point that had what is gone.
    """

    plan_id: UUID
    number: int
    since: int
    reason: Reason
    held_at: datetime


@event("expiry.cleared.v1")
class ExpiryCleared(Event):
    """Somebody looked at what held a plan, says that it was meant, and lets it expire again.

    numbers: the runs that held it. reason: in the operator's words.
    """

    plan_id: UUID
    numbers: tuple[int, ...]
    reason: str
    cleared_at: datetime


@event("expiry.decided.v1")
class ExpiryDecided(Event):
    """An operator looked at what holds a plan, and says that it was meant."""

    decision_id: UUID
    plan_id: UUID
    reason: str
    by: str
    decided_at: datetime


@event("storage.damaged.v1")
class StorageDamaged(Event):
    """A stored pack was found damaged or missing: what of one plan it concerns.

    Without a plan nothing that anybody can recover is concerned.
    paths: up to 100 of the files concerned, relative to the plan's root.
    """

    damage_id: UUID
    plan_id: UUID | None
    pack_id: str
    missing: bool
    chunks: int
    files: int
    paths: tuple[str, ...]
    found_at: datetime


@event("storage.doubted.v1")
class StorageDoubted(Event):
    """Somebody could not recover what a stored pack holds: it has to be read again at once."""

    pack_id: str


@event("storage.mended.v1")
class StorageMended(Event):
    """What a damaged pack held came again, or nothing needs it any more."""

    pack_id: str
    mended_at: datetime


@event("reduction.ordered.v1")
class ReductionOrdered(Event):
    """Somebody who may wants copies dropped before they expire.

    what: all copies of a plan, those of a `folder` of it (its path's bytes in base64), or its
    versions that are superseded, and its restore points, from before a moment.
    """

    reduction_id: UUID
    version: int
    what: Literal["plan", "folder", "older"]
    plan_id: UUID
    folder: str | None
    before: datetime | None
    by: str
    ordered_at: datetime


@event("reduction.withdrawn.v1")
class ReductionWithdrawn(Event):
    """What was to be dropped is to be kept after all, where that is still possible."""

    reduction_id: UUID
    by: str
    withdrawn_at: datetime


@event("reduction.applied.v1")
class ReductionApplied(Event):
    """How far a reduction came: its copies count no more, count again, or are gone for good.

    freed_bytes: how much less was stored by it; undo_until: until when it can be taken back, None
    where it never took effect.
    """

    reduction_id: UUID
    state: Literal["applied", "withdrawn", "collected"]
    freed_bytes: int
    undo_until: datetime | None
