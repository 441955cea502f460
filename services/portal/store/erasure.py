"""What the portal has of a tenant, and what of it is erased or stays (docs/destruction.md)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.erasure import EVENTS, Deleted, Kept, Plan

_USERS = "user_id IN (SELECT user_id FROM users WHERE tenant_id = $1)"

PLAN: Plan = (
    *EVENTS,
    Deleted("restores", "plan_id IN (SELECT plan_id FROM plans WHERE tenant_id = $1)"),
    Deleted("credentials", _USERS),
    Deleted("totps", _USERS),
    Deleted("recovery_codes", _USERS),
    Deleted("passkeys", _USERS),
    Deleted("known_sources", _USERS),
    Deleted("recipients"),
    Deleted("recipients_told"),
    Deleted("readers"),
    Deleted("reports_declined"),
    Deleted("notice_mails"),
    Deleted("notice_clients"),
    Deleted("enrolments"),
    Deleted("reports"),
    Deleted("judgements"),
    Deleted("expiry_holds"),
    Deleted("notes"),
    Deleted("approvals"),
    Deleted("clears"),
    Deleted("runs"),
    Deleted("plans"),
    Deleted("agents"),
    Deleted("volumes"),
    Deleted("volume_days"),
    Deleted("allowances"),
    Deleted("parked"),
    Deleted("incidents"),
    Deleted("misses"),
    Deleted("help_requests"),
    Deleted("pauses"),
    Deleted("reductions"),
    Deleted("overage_answers"),
    Deleted("overage_decisions"),
    Deleted("overages"),
    Deleted("orders_pending"),
    Deleted("offers_told"),
    Deleted("selected"),
    Deleted("users"),
    Kept("tenants", "accounting", "subscription_reason = ''"),
    Kept("orders", "accounting"),
    Kept("ledger", "accounting"),
    Kept("closed_months", "accounting"),
    Kept("acceptances", "contract"),
    Kept("access_log", "contract"),
    Kept("log_heads", "contract"),
    Kept("destructions", "certificate", "reasons = '[]', held = false, hold_reason = ''"),
)


async def end_tenant(conn: Connection, tenant_id: UUID, now: datetime) -> bool:
    """Moves a subscription to its last state, whatever it was; returns whether there is one."""
    version = await conn.fetchval(
        """
        UPDATE tenants SET subscription = 'destroyed', subscription_since = $2, ends_at = NULL,
            ended_at = coalesce(ended_at, $2), version = version + 1
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        now,
    )
    return version is not None


async def blank_log(conn: Connection, tenant_id: UUID) -> int:
    """Empties the personal part of each line of a destroyed client's log; returns how many."""
    count: int = await conn.fetchval(
        """
        SELECT blank_log($1)
        """,
        tenant_id,
    )
    return count


async def list_destroyed(conn: Connection) -> set[UUID]:
    """The clients whose logs may be blank."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM erased_tenants
        """
    )
    return {row[0] for row in rows}
