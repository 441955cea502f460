"""Who may have an account at a client's, and what its administrators may do to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from libs.shared import errors
from services.portal.rules.people import Person


def check_administered(people: Iterable[Person]) -> None:
    """Raises LastAdministrator unless somebody of a client remains who administers it."""
    if not any(one.role == "administrator" for one in people):
        raise LastAdministrator


def check_reset(person: Person) -> None:
    """Raises ResetByProvider for administrators: their password gives away all of a client."""
    if person.role == "administrator":
        raise ResetByProvider


class ResetByProvider(errors.Refusal):
    """An administrator's password is reset by the provider, who knows whom it speaks to."""

    code = "reset-by-provider"
    status = 403
    title = "An administrator gets a new password from the provider"

    @property
    def detail(self) -> str:
        return "Ask your provider for a new password of an administrator."


class LastAdministrator(errors.Refusal):
    """A client always has somebody who may order, answer and let others in."""

    code = "last-administrator"
    status = 409
    title = "This is the last administrator"

    @property
    def detail(self) -> str:
        return "Make somebody else an administrator first."


class ClientOpens(errors.Refusal):
    """Who can look into files is let in by the client, where the provider's acts take two."""

    code = "client-opens"
    status = 409
    title = "The client lets people in"

    @property
    def detail(self) -> str:
        return (
            "Here it takes two operators to get at an account of a client: let an administrator of"
            " the client open it."
        )


class WhyMissing(errors.InvalidRequest):
    """What another operator has to confirm is asked for with a reason, which the client reads."""

    def __init__(self) -> None:
        super().__init__("Another operator has to confirm this: say why; the client will read it.")


class SeatsUsed(errors.Refusal):
    """Everybody with an account needs a seat; `order`: what one more would cost, if it can be."""

    code = "seats-used"
    status = 409
    title = "All seats are taken"

    def __init__(self, seats: int, order: dict[str, Any] | None) -> None:
        super().__init__(seats)
        self.seats = seats
        self.order = order

    @property
    def detail(self) -> str:
        return f"All {self.seats} seats of the contract are taken; order one more, or close a user."

    def extra(self) -> dict[str, Any]:
        return {"order": self.order}
