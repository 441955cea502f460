"""What a tenant holds of what it contracted, and how far it may grow."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared.events import Locale, SubscriptionState


@dataclass(frozen=True, slots=True)
class Block:
    """Why a tenant may not grow, and what it held when that began.

    case_id: the overage case that was open then, with which the block ends.
    """

    reason: str
    at_bytes: int
    case_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a tenant may grow.

    The ceiling binds while `blocked`; otherwise it names the contracted volume, and growth beyond
    it is accepted: that is a matter for people first.
    """

    ceiling_bytes: int
    blocked: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """What quota knows of a tenant; the contract is None until the portal has told of it.

    block: an operator's. level_percent: as in `levels`. case_id: the newest overage case.
    allowance: as it was published last.
    """

    tenant_id: UUID
    contracted_bytes: int | None
    stored_bytes: int
    locale: Locale = "fr"
    timezone: str = "Europe/Paris"
    subscription: SubscriptionState = "active"
    block: Block | None = None
    level_percent: int = 0
    case_id: UUID | None = None
    allowance: Allowance | None = None

    @property
    def is_over(self) -> bool:
        """Whether more is stored than is contracted, by a subscription that has not ended."""
        return (
            self.contracted_bytes is not None
            and self.stored_bytes > self.contracted_bytes
            and self.subscription not in {"ended", "destroyed"}
        )


def decide_allowance(contracted_bytes: int, *blocks: Block | None) -> Allowance:
    """How far a tenant may grow under these blocks, of which the first one's reason is told.

    A block stops growth at what was held when it was set: runs that do not grow, deletions and
    all recovery go on, and room freed by deletions may be used again.
    """
    binding = [block for block in blocks if block is not None]
    if not binding:
        return Allowance(contracted_bytes, False, "")
    return Allowance(min(block.at_bytes for block in binding), True, binding[0].reason)
