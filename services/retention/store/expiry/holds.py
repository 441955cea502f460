"""SQL of what holds expiry up: runs in which so much was gone that nothing of their plan goes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection
from libs.shared.reasons import Reason
from services.retention import rules

Judge = Literal["retention", "reporting"]
"""Whose judgement a hold is."""


class Hold(NamedTuple):
    """A run in which so much was gone that its plan's versions don't expire."""

    tenant_id: UUID
    plan_id: UUID
    plan_name: str
    number: int
    reason: Reason
    held_at: datetime


async def find_last_hold(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Returns the newest run that held the plan's expiry by our own judgement; 0 if none did."""
    number: int = await conn.fetchval(
        """
        SELECT coalesce(max(number), 0) FROM expiry_holds
        WHERE tenant_id = $1 AND plan_id = $2 AND judge = 'retention'
        """,
        tenant_id,
        plan_id,
    )
    return number


async def add_hold(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    number: int,
    loss: rules.expiry.Loss,
    now: datetime,
    judge: Judge = "retention",
) -> None:
    """Holds a plan's expiry because of what one of its runs is."""
    await conn.execute(
        """
        INSERT INTO expiry_holds (tenant_id, plan_id, number, since, reason, held_at, judge)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tenant_id,
        plan_id,
        number,
        loss.since,
        reasons.write(loss.reason),
        now,
        judge,
    )


async def list_holds(conn: Connection) -> list[Hold]:
    """Returns the holds of all tenants that nobody cleared, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT h.tenant_id, h.plan_id, coalesce(p.name, '') AS plan_name, h.number, h.reason,
            h.held_at
        FROM expiry_holds h LEFT JOIN catalogue.plans p USING (tenant_id, plan_id)
        WHERE h.cleared_at IS NULL ORDER BY h.held_at, h.plan_id, h.number
        """
    )
    return [
        Hold(**{**row, "reason": reasons.read(row["reason"]) or Reason("failed")}) for row in rows
    ]


async def is_held(conn: Connection, tenant_id: UUID, plan_id: UUID) -> bool:
    """Whether a hold of the plan is open."""
    return bool(
        await conn.fetchval(
            """
            SELECT EXISTS (SELECT FROM expiry_holds WHERE tenant_id = $1 AND plan_id = $2
            AND cleared_at IS NULL)
            """,
            tenant_id,
            plan_id,
        )
    )


async def clear_holds(
    conn: Connection, plan_id: UUID, reason: str, now: datetime, held_until: datetime
) -> list[tuple[UUID, int]]:
    """Clears a plan's holds of no later than then; returns whose it is, and the runs' numbers."""
    rows = await conn.fetch(
        """
        UPDATE expiry_holds SET cleared_at = $2, cleared_reason = $3
        WHERE plan_id = $1 AND cleared_at IS NULL AND held_at <= $4 RETURNING tenant_id, number
        """,
        plan_id,
        now,
        reason,
        held_until,
    )
    return sorted({(row[0], row[1]) for row in rows})
