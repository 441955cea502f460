"""SQL of the runs that are expected."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.missed import Expectation, Hearing
from services.reporting.rules.plans import Plan


async def put_rhythm(
    conn: Connection,
    tenant_id: UUID,
    plan: Plan,
    expected_at: datetime | None,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Begins to expect runs of a plan; of one that is known only where its rhythm is another."""
    await conn.execute(
        """
        INSERT INTO expected AS e (tenant_id, plan_id, schedule, timezone, watched_since,
            last_run, expected_at, due_at)
        VALUES ($1, $2, $3, $4, $7, (SELECT coalesce(max(number), 0) FROM runs
            WHERE tenant_id = $1 AND plan_id = $2), $5, $6)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE
            SET schedule = $3, timezone = $4, expected_at = $5, due_at = $6, note = ''
        WHERE (e.schedule, e.timezone) <> ($3, $4)
        """,
        tenant_id,
        plan.plan_id,
        plan.schedule,
        plan.timezone,
        expected_at,
        due_at,
        now,
    )


async def note_run(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    number: int,
    expected_at: datetime | None,
    due_at: datetime | None,
) -> None:
    """A run ended: nothing is missed, and the next is expected; one that is older says nothing."""
    await conn.execute(
        """
        UPDATE expected SET last_run = $3, expected_at = $4, due_at = $5,
            since = NULL, times = 0, told_at = NULL, note = ''
        WHERE tenant_id = $1 AND plan_id = $2 AND last_run <= $3
        """,
        tenant_id,
        plan_id,
        number,
        expected_at,
        due_at,
    )


async def list_due(conn: Connection, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Returns (tenant, plan) of what is due, longest first.

    But nothing of clients of whose runs some are heard and not handled yet.
    """
    rows = await conn.fetch(
        """
        SELECT tenant_id, plan_id FROM expected e WHERE due_at <= $1 AND NOT EXISTS (
            SELECT FROM inbox i WHERE i.state = 'pending' AND i.type = 'run.finished.v1'
            AND i.tenant_id = e.tenant_id)
        ORDER BY due_at LIMIT $2
        """,
        now,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def find_due(
    conn: Connection, tenant_id: UUID, plan_id: UUID, now: datetime
) -> Expectation | None:
    """Returns what is expected of a plan, if it still is due."""
    row = await conn.fetchrow(
        """
        SELECT tenant_id, plan_id, schedule, timezone, watched_since, last_run, expected_at,
            due_at, since, times, told_at
        FROM expected WHERE tenant_id = $1 AND plan_id = $2 AND due_at <= $3
        """,
        tenant_id,
        plan_id,
        now,
    )
    return Expectation(*row) if row else None


async def put(conn: Connection, expectation: Expectation) -> None:
    """Keeps what is expected next, and what was missed."""
    await conn.execute(
        """
        UPDATE expected SET expected_at = $3, due_at = $4, since = $5, times = $6, told_at = $7
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        expectation.tenant_id,
        expectation.plan_id,
        expectation.expected_at,
        expectation.due_at,
        expectation.since,
        expectation.times,
        expectation.told_at,
    )


async def put_pause(conn: Connection, tenant_id: UUID, plan_id: UUID, version: int) -> bool:
    """Keeps which pause of a plan is the newest; returns whether it is this one."""
    status = await conn.execute(
        """
        INSERT INTO pauses AS p (tenant_id, plan_id, version) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET version = $3 WHERE p.version < $3
        """,
        tenant_id,
        plan_id,
        version,
    )
    return database.changed(status) == 1


async def pause(
    conn: Connection, tenant_id: UUID, plan_id: UUID, until: datetime, note: str
) -> bool:
    """Expects nothing of a plan before a moment, or its next run; returns whether it is known."""
    status = await conn.execute(
        """
        UPDATE expected SET expected_at = NULL, due_at = $3, note = $4,
            since = NULL, times = 0, told_at = NULL
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
        until,
        note,
    )
    return database.changed(status) == 1


async def list_durations(
    conn: Connection, tenant_id: UUID, plan_id: UUID, limit: int
) -> list[timedelta]:
    """Returns how long a plan's last good runs took."""
    rows = await conn.fetch(
        """
        SELECT lasted FROM runs
        WHERE tenant_id = $1 AND plan_id = $2 AND outcome <> 'failed' AND lasted IS NOT NULL
        ORDER BY number DESC LIMIT $3
        """,
        tenant_id,
        plan_id,
        limit,
    )
    return [row[0] for row in rows]


async def find_ping(conn: Connection) -> datetime | None:
    """Returns when the newest ping of reporting came back to it."""
    heard_at: datetime | None = await conn.fetchval(
        """
        SELECT received_at FROM inbox WHERE state = 'done' AND type = 'service.pinged.v1'
        ORDER BY done_at DESC LIMIT 1
        """
    )
    return heard_at


async def find_hearing(conn: Connection) -> Hearing | None:
    row = await conn.fetchrow(
        """
        SELECT heard_at, steady_since FROM hearing
        """
    )
    return Hearing(*row) if row else None


async def put_hearing(conn: Connection, hearing: Hearing) -> None:
    await conn.execute(
        """
        INSERT INTO hearing (heard_at, steady_since) VALUES ($1, $2)
        ON CONFLICT (one) DO UPDATE SET heard_at = $1, steady_since = $2
        """,
        hearing.heard_at,
        hearing.steady_since,
    )


async def count_overdue(conn: Connection) -> int:
    """Returns of how many plans a run is missed."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM expected WHERE since IS NOT NULL
        """
    )
    return count
