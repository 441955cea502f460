"""SQL of runs that were judged."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import RunFinished
from services.reporting.rules.usual.figures import Figures
from services.reporting.rules.usual.judging import Past


async def add(conn: Connection, run: RunFinished, figures: Figures, *, is_unusual: bool) -> None:
    """Keeps what was found of a run."""
    await conn.execute(
        """
        INSERT INTO judgements (tenant_id, run_id, plan_id, number, is_good, figures, is_unusual)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        run.tenant_id,
        run.run_id,
        run.plan_id,
        run.number,
        run.outcome != "failed",
        figures.model_dump_json(),
        is_unusual,
    )


async def list_past(
    conn: Connection, tenant_id: UUID, plan_id: UUID, before: int, limit: int
) -> list[Past]:
    """Returns the judged runs of a plan before a number, newest first."""
    rows = await conn.fetch(
        """
        SELECT figures, is_good, is_unusual, accepted_at IS NOT NULL FROM judgements
        WHERE tenant_id = $1 AND plan_id = $2 AND number < $3 ORDER BY number DESC LIMIT $4
        """,
        tenant_id,
        plan_id,
        before,
        limit,
    )
    return [Past(Figures.model_validate_json(row[0]), *row[1:]) for row in rows]


async def accept(
    conn: Connection, tenant_id: UUID, plan_id: UUID, through: int, now: datetime
) -> None:
    """Notes that what was unusual of a plan, up to a run, was meant."""
    await conn.execute(
        """
        UPDATE judgements SET accepted_at = $4 WHERE tenant_id = $1 AND plan_id = $2
        AND number <= $3 AND is_unusual AND accepted_at IS NULL
        """,
        tenant_id,
        plan_id,
        through,
        now,
    )
