"""The life of a subscription: which state follows which, and what a state allows."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

from libs.shared import errors
from libs.shared.events import SubscriptionState

Step = Literal["end", "lapse", "announce_end", "suspend", "resume", "reinstate"]
"""`lapse`: it ends because the maintenance of the backup software did."""

DayKind = Literal["running", "succeeded", "succeeded_with_warnings", "missed", "failed"]
"""How a client's day went: the worst of all its plans."""
Trouble = Literal[
    "damaged",
    "failed",
    "late",
    "unusual",
    "blocked",
    "over",
    "warnings",
    "suspended",
    "waiting",
    "fine",
    "closed",
]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
"""What a client is listed under, the worst first."""

MAINTENANCE_WARNINGS = (60, 30, 7)
"""How many days before the end of the maintenance the administrators are told, each once."""

# Which states a step starts from, and where it leads.
STEPS: dict[Step, tuple[frozenset[SubscriptionState], SubscriptionState]] = {
    "announce_end": (frozenset({"active", "ending"}), "ending"),
    "end": (frozenset({"active", "ending", "suspended"}), "ended"),
    "lapse": (frozenset({"active", "ending", "suspended"}), "ended"),
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


class MaintenanceOver(errors.Refusal):
    """A subscription can't go on without maintenance: it would end again at once."""

    code = "maintenance-over"
    status = 409
    title = "The maintenance of the backup software is over"

    def __init__(self, until: date) -> None:
        super().__init__()
        self.until = until

    @property
    def detail(self) -> str:
        return f"It ended on {self.until}; say first until when it is renewed."


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


def count_days_left(until: date, timezone: str, now: datetime) -> int:
    """How many days of maintenance are left, by the client's calendar; below 0 once it is over."""
    return (until - now.astimezone(ZoneInfo(timezone)).date()).days


def find_warning(days_left: int, told: int | None) -> int | None:
    """Which warning is due, None for none; one that was missed is skipped for the next.

    told: the one that was given last."""
    due = [days for days in MAINTENANCE_WARNINGS if 0 <= days_left <= days]
    if not due or (told is not None and told <= min(due)):
        return None
    return min(due)


def check_maintenance(until: date | None, timezone: str, now: datetime) -> None:
    """Raises MaintenanceOver where a subscription that goes on would end at once."""
    if until is not None and count_days_left(until, timezone, now) < 0:
        raise MaintenanceOver(until)


def check_recovery(state: SubscriptionState, reason: str) -> None:
    """Raises RecoveryBlocked unless files may be read in this state."""
    if blocked := _BLOCKS.get(state):
        raise blocked(reason)


def may_recover(state: SubscriptionState) -> bool:
    """Whether files may be read in this state."""
    return state not in _BLOCKS


def find_trouble(
    subscription: SubscriptionState,
    *,
    damaged: int,
    failing: int,
    late: int,
    unusual: int,
    reserved: int,
    plans: int,
    silent: int,
    is_blocked: bool,
    stored_bytes: int,
    contracted_bytes: int,
) -> Trouble:
    """The worst that is known of a client; the numbers count its plans, or its open incidents."""
    if subscription in {"ended", "destroyed"}:
        return "closed"
    found: list[tuple[Trouble, bool]] = [
        ("damaged", damaged > 0),
        ("failed", failing > 0),
        ("late", late > 0),
        ("unusual", unusual > 0),
        ("blocked", is_blocked),
        ("over", stored_bytes > contracted_bytes),
        ("warnings", reserved > 0),
        ("suspended", subscription == "suspended"),
        ("waiting", silent == plans),
    ]
    return next((trouble for trouble, is_so in found if is_so), "fine")
