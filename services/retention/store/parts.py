"""Which runs are closed for good, and up to which their parts were swept."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection


class ClosedRuns(NamedTuple):
    """A plan, the number below which its runs are closed for ever, and up to which it was swept."""

    plan_id: UUID
    closed_before: int
    swept_before: int


async def list_closed(
    conn: Connection, tenant_id: UUID, committed_before: datetime
) -> list[ClosedRuns]:
    """Returns the plans with a restore point that was committed long enough ago.

    A plan has one open run, and numbers go up: what came before a restore point was closed
    when that one's run started.
    """
    rows = await conn.fetch(
        """
        SELECT r.plan_id, max(r.number), coalesce(s.number, 0) FROM catalogue.runs r
        LEFT JOIN swept_runs s ON s.tenant_id = $1 AND s.plan_id = r.plan_id
        WHERE r.tenant_id = $1 AND r.committed_at <= $2
        GROUP BY r.plan_id, s.number ORDER BY r.plan_id
        """,
        tenant_id,
        committed_before,
    )
    return [ClosedRuns(*row) for row in rows]


async def put_swept(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> None:
    """Writes down that the parts of all runs below this number were swept."""
    await conn.execute(
        """
        INSERT INTO swept_runs (tenant_id, plan_id, number) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET number = $3
        """,
        tenant_id,
        plan_id,
        number,
    )
