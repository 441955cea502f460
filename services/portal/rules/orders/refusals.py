"""Which orders are refused, and what to do."""

from __future__ import annotations

from libs.shared import errors
from libs.shared.events import SubscriptionState, What


class OrderRefused(errors.Refusal):
    """Nothing is ordered while a subscription is suspended or after it ended."""

    code = "order-subscription"
    status = 409
    title = "Nothing can be ordered now"

    def __init__(self, state: SubscriptionState, reason: str) -> None:
        super().__init__(state, reason)
        self.state = state
        self.reason = reason

    @property
    def detail(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"The subscription is {self.state}{why}; ask your provider to have it reopened."


class OrderUnchanged(errors.Refusal):
    """An order for what the client has already, or has ordered already."""

    code = "order-unchanged"
    status = 409
    title = "Nothing would change"

    def __init__(self, what: What) -> None:
        super().__init__(what)
        self.what = what

    @property
    def detail(self) -> str:
        return f"That much {self.what} is ordered already; order more or less."


class BelowHeld(errors.Refusal):
    """Less than what is held can't be ordered."""

    code = "order-below-held"
    status = 409
    title = "More than that is in use"

    def __init__(self, what: What, held: int) -> None:
        super().__init__(what, held)
        self.what = what
        self.held = held

    @property
    def detail(self) -> str:
        if self.what == "seats":
            return f"{self.held} people have an account; close some first."
        return f"{self.held} bytes are stored; reduce what is kept first, then order less."

    def extra(self) -> dict[str, int]:
        return {"held": self.held}


class KeyReused(errors.Refusal):
    """An idempotency key that came with another order before."""

    code = "key-reused"
    status = 422
    title = "This key belongs to another order"

    @property
    def detail(self) -> str:
        return "The Idempotency-Key came with another order before; make a new one."


class QuoteChanged(errors.Refusal):
    """What a preview said holds no more."""

    code = "quote-changed"
    status = 409
    title = "The price or the contract has changed"

    @property
    def detail(self) -> str:
        return "Since the preview the price or the contract has changed; look at it again."


class ByProviderOnly(errors.Refusal):
    """An operator keeps a client's administrators from ordering themselves."""

    code = "orders-by-provider"
    status = 403
    title = "Your provider orders for you"

    @property
    def detail(self) -> str:
        return "For this contract your provider places the orders; ask them."


class NothingToRevise(errors.Refusal):
    """The provider raises a contract only where more is held than was contracted."""

    code = "nothing-to-revise"
    status = 409
    title = "The contract holds what is stored"

    @property
    def detail(self) -> str:
        return "No more is stored than was contracted; there is nothing to revise."
