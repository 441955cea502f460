"""Runs that hold their plan's expiry, by retention's word or by reporting's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection
from libs.shared.reasons import Reason


@dataclass(frozen=True)
class Hold:
    """A plan of which nothing expires; number: of the run that is unusual."""

    plan_id: UUID
    plan: str
    number: int
    reason: Reason | None
    held_at: datetime


async def list_of_tenant(conn: Connection, tenant_id: UUID) -> list[Hold]:
    """What holds a client's plans and was not cleared, the oldest first; one of each run."""
    rows = await conn.fetch(
        """
        WITH held AS (
            SELECT plan_id, number, reason, held_at FROM expiry_holds WHERE tenant_id = $1
            UNION ALL
            SELECT r.plan_id, r.number, j.verdicts -> 0, j.judged_at
            FROM judgements j JOIN runs r USING (tenant_id, run_id)
            WHERE j.tenant_id = $1 AND j.verdicts <> '[]'
        )
        SELECT DISTINCT ON (h.held_at, h.plan_id, h.number)
            h.plan_id, coalesce(p.name, '') AS plan, h.number, h.reason, h.held_at
        FROM held h LEFT JOIN plans p ON p.tenant_id = $1 AND p.plan_id = h.plan_id
        WHERE NOT EXISTS (SELECT FROM clears c WHERE c.tenant_id = $1
            AND c.plan_id = h.plan_id AND c.through >= h.number)
        ORDER BY h.held_at, h.plan_id, h.number
        """,
        tenant_id,
    )
    return [Hold(**{**row, "reason": reasons.read(row["reason"])}) for row in rows]
