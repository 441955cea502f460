"""Who may copy, and how far a tenant may grow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from libs.shared.errors import Unauthenticated, Unavailable
from services.ingest.rules.refusals import GrowthBlocked, SubscriptionOver, SubscriptionSuspended

NOT_KNOWN = "The agent's token is wrong or was revoked; enrol the machine again."


def spelled(code: str) -> str:
    """An enrolment code as it was handed out, however it was written down or read aloud."""
    return "-".join(re.findall(r"[^\W_]+", code.lower()))


@dataclass(frozen=True, slots=True)
class Agent:
    """Who calls: an agent whose token is good, and how its tenant stands."""

    agent_id: UUID
    tenant_id: UUID
    hostname: str
    subscription: str | None
    subscription_reason: str
    ceiling_bytes: int | None
    ceiling_reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an agent may go on with what it began."""

    agent_id: UUID
    is_revoked: bool
    subscription: str | None
    subscription_reason: str


def is_growth_blocked(ceiling_bytes: int | None, stored_bytes: int, growth_bytes: int) -> bool:
    """Whether that many more bytes would go over a tenant's ceiling; None is no ceiling."""
    return (
        ceiling_bytes is not None
        and growth_bytes > 0
        and stored_bytes + growth_bytes > ceiling_bytes
    )


def growth_left(ceiling_bytes: int | None, stored_bytes: int) -> int | None:
    """How many more bytes a tenant may store; None is no limit."""
    return None if ceiling_bytes is None else max(0, ceiling_bytes - stored_bytes)


def decide_ceiling(
    blocked: bool, ceiling_bytes: int, stored_bytes: int, held_bytes: int | None
) -> int | None:
    """The ceiling to keep: what was held when growth was blocked, and never more than allowed.

    held_bytes: the ceiling that was in force before, None if there was none.
    """
    if not blocked:
        return None
    return min(ceiling_bytes, stored_bytes if held_bytes is None else held_bytes)


def check_subscription(subscription: str | None, reason: str) -> None:
    """Raises the refusal of a tenant whose subscription lets nothing in.

    None is a tenant that the portal has not told us about yet: that is a matter of seconds.
    """
    if subscription is None:
        raise Unavailable("news of this subscription", 2)
    if subscription == "suspended":
        raise SubscriptionSuspended(reason)
    if subscription not in ("active", "ending"):
        raise SubscriptionOver(reason)


def check_standing(standing: Standing) -> None:
    """Raises what keeps an agent from going on: its token withdrawn, its tenant's subscription."""
    if standing.is_revoked:
        raise Unauthenticated(NOT_KNOWN)
    check_subscription(standing.subscription, standing.subscription_reason)


def is_withdrawn(standing: Standing) -> bool:
    """Whether what an agent has under way is to be cut."""
    return standing.is_revoked or standing.subscription not in (None, "active", "ending")


def check_growth(
    ceiling_bytes: int | None, ceiling_reason: str, stored_bytes: int, growth_bytes: int
) -> None:
    """Raises GrowthBlocked where that many more bytes would go over the tenant's ceiling."""
    if ceiling_bytes is not None and is_growth_blocked(ceiling_bytes, stored_bytes, growth_bytes):
        raise GrowthBlocked(ceiling_reason, ceiling_bytes, stored_bytes)


def check_admission(agent: Agent, stored_bytes: int, growth_bytes: int) -> None:
    """Raises what keeps an agent from starting a run that is expected to add that much."""
    check_subscription(agent.subscription, agent.subscription_reason)
    check_growth(agent.ceiling_bytes, agent.ceiling_reason, stored_bytes, growth_bytes)
