"""SQL of overage cases."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.quota.rules.cases import Case


async def find(conn: Connection, tenant_id: UUID, case_id: UUID) -> Case | None:
    """Returns a case; whoever changes it holds the lock on the tenant's account."""
    row = await conn.fetchrow(
        """
        SELECT case_id, opened_at, passed_at, deadline_at, final_at, version, reminded_day, answer,
               answered_at, first_answered_at, ceiling_bytes, reason, closed_at
        FROM cases WHERE tenant_id = $1 AND case_id = $2
        """,
        tenant_id,
        case_id,
    )
    return Case(**row) if row else None


async def put(conn: Connection, tenant_id: UUID, case: Case) -> None:
    """Keeps a case as it is now, as the tenant's newest."""
    await conn.execute(
        """
        WITH newest AS (UPDATE allowances SET case_id = $2 WHERE tenant_id = $1)
        INSERT INTO cases (tenant_id, case_id, opened_at, passed_at, deadline_at, final_at, version,
            reminded_day, answer, answered_at, first_answered_at, ceiling_bytes, reason, closed_at,
            next_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (case_id) DO UPDATE SET passed_at = $4, deadline_at = $5, final_at = $6,
            version = $7, reminded_day = $8, answer = $9, answered_at = $10,
            first_answered_at = $11, ceiling_bytes = $12, reason = $13, closed_at = $14,
            next_at = $15
        """,
        tenant_id,
        case.case_id,
        case.opened_at,
        case.passed_at,
        case.deadline_at,
        case.final_at,
        case.version,
        case.reminded_day,
        case.answer,
        case.answered_at,
        case.first_answered_at,
        case.ceiling_bytes,
        case.reason,
        case.closed_at,
        case.next_at,
    )


async def list_due(conn: Connection, now: datetime) -> list[UUID]:
    """Returns the tenants of whose cases something is due."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM cases WHERE next_at <= $1 ORDER BY next_at
        """,
        now,
    )
    return [row["tenant_id"] for row in rows]


async def list_deadlines(conn: Connection) -> list[datetime]:
    """Returns when the cases that are open block growth."""
    rows = await conn.fetch(
        """
        SELECT deadline_at FROM cases WHERE closed_at IS NULL
        """
    )
    return [row["deadline_at"] for row in rows]
