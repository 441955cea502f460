"""What a client may drop before it expires, and take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared import errors

What = Literal["plan", "folder", "older"]
State = Literal["ordered", "applied", "withdrawing", "withdrawn", "collected"]

UNDO_DAYS = 7


@dataclass(frozen=True, slots=True)
class ReductionWish:
    """What somebody wants dropped: a plan by id or name; a path of it, or what is older."""

    what: What
    plan: str
    folder: bytes = b""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Reduction:
    """What was dropped, by whom, and how far that is."""

    reduction_id: UUID
    plan_id: UUID
    plan_name: str
    what: What
    folder: bytes | None
    before: datetime | None
    ordered_by: str
    ordered_at: datetime
    state: State
    freed_bytes: int
    undo_until: datetime | None

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether it can be taken back, as far as is known here: retention has the last word."""
        return self.state in ("ordered", "applied")


class NothingToDrop(errors.Refusal):
    """The plan has no restore point, or nothing is so old."""

    code = "nothing-to-drop"
    status = 409
    title = "There is nothing to drop"

    @property
    def detail(self) -> str:
        return "No backup that is kept fits that: nothing would be dropped."


class TooLate(errors.Refusal):
    """A reduction whose days are over."""

    code = "reduction-final"
    status = 409
    title = "This can't be taken back any more"

    @property
    def detail(self) -> str:
        return f"It could be taken back for {UNDO_DAYS} days; what was dropped is being deleted."


def check_withdrawal(reduction: Reduction) -> None:
    """Raises TooLate where nothing can be taken back."""
    if not reduction.can_be_withdrawn:
        raise TooLate
