"""The life of a subscription: which state follows which, and what a state allows."""

from __future__ import annotations

from typing import ClassVar, Literal

from libs.shared import errors
from libs.shared.events import SubscriptionState

Step = Literal["end", "announce_end", "suspend", "resume", "reinstate"]

# Which states a step starts from, and where it leads.
STEPS: dict[Step, tuple[frozenset[SubscriptionState], SubscriptionState]] = {
    "announce_end": (frozenset({"active", "ending"}), "ending"),
    "end": (frozenset({"active", "ending", "suspended"}), "ended"),
    "suspend": (frozenset({"active", "ending"}), "suspended"),
    "resume": (frozenset({"suspended", "ending"}), "active"),
    "reinstate": (frozenset({"ended"}), "active"),
}


class StepRefused(errors.Refusal):
    """A step that doesn't start from the present state."""

    code = "subscription-state"
    status = 409
    title = "Not possible in this state"

    def __init__(self, step: Step, state: SubscriptionState) -> None:
        super().__init__()
        self.step: Step = step
        self.state: SubscriptionState = state

    @property
    def detail(self) -> str:
        allowed = ", ".join(sorted(STEPS[self.step][0]))
        return f"The subscription is {self.state}; this needs one that is {allowed}."


class RecoveryBlocked(errors.Refusal):
    """Files can't be read while a subscription is suspended or after it ended."""

    code = "subscription-ended"
    status = 403
    title = "Recovery is blocked"
    because: ClassVar[str] = "The subscription has ended"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    @property
    def detail(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.because}{why}; ask your provider to have it reopened."


class RecoverySuspended(RecoveryBlocked):
    """As long as a subscription is suspended."""

    code = "subscription-suspended"
    because = "The subscription is suspended"


class RecoveryOver(RecoveryBlocked):
    """Once the data is gone."""

    code = "subscription-destroyed"
    because = "The subscription has ended and its data was destroyed"

    @property
    def detail(self) -> str:
        return f"{self.because}."


_BLOCKS: dict[SubscriptionState, type[RecoveryBlocked]] = {
    "ended": RecoveryBlocked,
    "suspended": RecoverySuspended,
    "destroyed": RecoveryOver,
}


def next_state(step: Step, state: SubscriptionState) -> SubscriptionState:
    """Where a step leads; raises StepRefused where it doesn't start from `state`."""
    starts, leads_to = STEPS[step]
    if state not in starts:
        raise StepRefused(step, state)
    return leads_to


def check_recovery(state: SubscriptionState, reason: str) -> None:
    """Raises RecoveryBlocked unless files may be read in this state."""
    if blocked := _BLOCKS.get(state):
        raise blocked(reason)
