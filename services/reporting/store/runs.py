"""SQL of runs, with or without their report."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import RunFinished
from services.reporting.rules.runs import EndedRun, Row


async def add(conn: Connection, tenant_id: UUID, event: RunFinished, now: datetime) -> bool:
    """Keeps a finished run; returns False if it is known already."""
    status = await conn.execute(
        """
        INSERT INTO runs (tenant_id, run_id, plan_id, number, outcome, files_total,
                          bytes_protected, summary, arrived_at, lasted)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING
        """,
        tenant_id,
        event.run_id,
        event.plan_id,
        event.number,
        event.outcome,
        event.files_total,
        event.bytes_protected,
        event.model_dump_json(),
        now,
        event.finished_at - event.started_at,
    )
    return database.changed(status) == 1


async def list_waiting(conn: Connection, tenant_id: UUID) -> list[RunFinished]:
    """Returns the runs without a report whose plan is known, oldest number first."""
    rows = await conn.fetch(
        """
        SELECT summary FROM runs JOIN plans USING (tenant_id, plan_id)
        WHERE tenant_id = $1 AND reported_at IS NULL ORDER BY plan_id, number
        """,
        tenant_id,
    )
    return [RunFinished.model_validate_json(row["summary"]) for row in rows]


async def mark_reported(
    conn: Connection, tenant_id: UUID, run_id: UUID, now: datetime, *, recovers: bool
) -> None:
    await conn.execute(
        """
        UPDATE runs SET reported_at = $3, recovers = $4 WHERE tenant_id = $1 AND run_id = $2
        """,
        tenant_id,
        run_id,
        now,
        recovers,
    )


async def is_after_trouble(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> bool:
    """Did the run before fail, or was one missed since?"""
    found: bool = await conn.fetchval(
        """
        SELECT coalesce((before).outcome = 'failed', false) OR EXISTS (
            SELECT FROM misses WHERE tenant_id = $1 AND plan_id = $2 AND after_run < $3
            AND after_run >= coalesce((before).number, 0))
        FROM (SELECT (SELECT r FROM runs r WHERE tenant_id = $1 AND plan_id = $2 AND number < $3
                      ORDER BY number DESC LIMIT 1) AS before) AS found
        """,
        tenant_id,
        plan_id,
        number,
    )
    return found


async def is_made_good(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> bool:
    """Did a later run of the plan go well?"""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND number > $3
                       AND outcome <> 'failed')
        """,
        tenant_id,
        plan_id,
        number,
    )
    return found


async def list_before(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int, limit: int
) -> list[RunFinished]:
    """Returns the runs of a plan before a number, newest first."""
    rows = await conn.fetch(
        """
        SELECT summary FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND number < $3
        ORDER BY number DESC LIMIT $4
        """,
        tenant_id,
        plan_id,
        number,
        limit,
    )
    return [RunFinished.model_validate_json(row["summary"]) for row in rows]


async def list_past(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int, limit: int
) -> list[EndedRun]:
    """Returns how the runs of a plan before a number ended, newest first."""
    rows = await conn.fetch(
        """
        SELECT number, outcome, arrived_at FROM runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number < $3 ORDER BY number DESC LIMIT $4
        """,
        tenant_id,
        plan_id,
        number,
        limit,
    )
    return [EndedRun(row["number"], row["outcome"], row["arrived_at"]) for row in rows]


async def find_row(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> Row:
    """Returns how many runs of a plan failed one after the other, just before a number."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS failures, (array_agg(run_id ORDER BY number))[1] AS first
        FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND number < $3 AND number > coalesce(
            (SELECT max(number) FROM runs
             WHERE tenant_id = $1 AND plan_id = $2 AND number < $3 AND outcome <> 'failed'), 0)
        """,
        tenant_id,
        plan_id,
        number,
    )
    assert row is not None
    return Row(row["failures"], row["first"])


async def find(conn: Connection, tenant_id: UUID, run_id: UUID) -> RunFinished | None:
    """Returns a run that ended."""
    summary = await conn.fetchval(
        """
        SELECT summary FROM runs WHERE tenant_id = $1 AND run_id = $2
        """,
        tenant_id,
        run_id,
    )
    return RunFinished.model_validate_json(summary) if summary else None


async def find_last_good(conn: Connection, tenant_id: UUID, plan_id: UUID) -> RunFinished | None:
    """Returns the newest run of a plan that went well."""
    summary = await conn.fetchval(
        """
        SELECT summary FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND outcome <> 'failed'
        ORDER BY number DESC LIMIT 1
        """,
        tenant_id,
        plan_id,
    )
    return RunFinished.model_validate_json(summary) if summary else None
