"""What may be answered to an overage case, and what may be decided about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from libs.shared import errors
from libs.shared.events import Answer

__all__ = ["ANSWERS", "Answer", "Decision"]

Decision = Literal["extend", "block", "unblock"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


class NoOpenCase(errors.Refusal):
    """An answer or an extension where there is nothing to answer or to extend."""

    code = "no-open-case"
    status = 409
    title = "No open case"

    @property
    def detail(self) -> str:
        return "No more is stored than is contracted, so there is no open overage case."


class CaseOver(errors.Refusal):
    """A link of a case that has been closed."""

    code = "overage-over"
    status = 410
    title = "The case is closed"

    @property
    def detail(self) -> str:
        return "The case that this link answers is closed; there is nothing left to do."


class DeadlineTooEarly(errors.Refusal):
    """An extension that would make a deadline no later."""

    code = "deadline-too-early"
    status = 422
    title = "The deadline must become later"

    def __init__(self, earliest: datetime) -> None:
        super().__init__()
        self.earliest = earliest

    @property
    def detail(self) -> str:
        return f"The new deadline must be later than {self.earliest:%Y-%m-%d %H:%M} UTC."


def check_extension(until: datetime, deadline_at: datetime, now: datetime) -> None:
    """Raises DeadlineTooEarly unless a deadline moves to a later day that is still ahead."""
    earliest = max(deadline_at, now)
    if until <= earliest:
        raise DeadlineTooEarly(earliest)
