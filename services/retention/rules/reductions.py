"""What a reduction drops, and for how long it can be taken back (docs/decisions/0046)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

What = Literal["plan", "folder", "older"]
State = Literal["ordered", "applied", "withdrawn", "collected"]

UNDO = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reduction:
    """What somebody wants dropped: a plan, a path of it, or what is older than a moment."""

    tenant_id: UUID
    reduction_id: UUID
    plan_id: UUID
    what: What
    folder: bytes | None
    before: datetime | None
    state: State
    undo_until: datetime | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Which versions are dropped, by the runs in which they began or ended; which points hidden."""

    begun_by: int
    ended_by: int
    hides_through: int

    @property
    def is_settled(self) -> bool:
        """Whether no version is dropped that the newest restore point shows."""
        return not self.begun_by


def find_reach(what: What, newest: int | None, oldest_kept: int | None) -> Reach:
    """Says how far a reduction reaches.

    newest: the plan's newest restore point. oldest_kept: of what is older than a moment, the
    restore point that was the newest at it.
    """
    if what == "older":
        before = max((oldest_kept or 0) - 1, 0)
        return Reach(0, before, before)
    through = newest or 0
    return Reach(through, 0, through if what == "plan" else 0)
