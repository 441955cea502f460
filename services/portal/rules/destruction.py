"""What operators may decide about a destruction."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from libs.shared import errors
from libs.shared.events import DestructionState

CONFIRMABLE = frozenset({"destruction-large", "destructions-many", "still-sends"})
"""What a second look settles; a wrong clock and a lock of the store it does not."""


class DestructionBegun(errors.Refusal):
    """What is destroyed can't be taken back, nor be held."""

    code = "destruction-begun"
    status = 409
    title = "The destruction has begun"

    @property
    def detail(self) -> str:
        return "The destruction of this client's data has begun: it can't be taken back any more."


class NothingToConfirm(errors.Refusal):
    """Only a destruction that waits for it is confirmed."""

    code = "nothing-to-confirm"
    status = 409
    title = "There is nothing to confirm"

    def __init__(self, state: DestructionState) -> None:
        super().__init__()
        self.state: DestructionState = state

    @property
    def detail(self) -> str:
        return f"The destruction is {self.state} and waits for no operator."


class SecondOperatorNeeded(errors.Refusal):
    """Who ended a subscription doesn't confirm that what followed is right."""

    code = "second-operator-needed"
    status = 403
    title = "Another operator has to confirm this"

    @property
    def detail(self) -> str:
        return "You ended this subscription yourself: let another operator look at it."


class NotHeld(errors.Refusal):
    """There is no hold to be released."""

    code = "not-held"
    status = 409
    title = "There is no legal hold"


def check_confirmation(
    state: DestructionState, reasons: Collection[str], operator: UUID | None, ended_by: UUID | None
) -> None:
    """Raises NothingToConfirm, SecondOperatorNeeded; reasons: codes of what it waits for."""
    if state != "waiting" or not CONFIRMABLE & set(reasons):
        raise NothingToConfirm(state)
    if operator is None or operator == ended_by:
        raise SecondOperatorNeeded
