"""SQL of what waits for the mails of days and weeks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules import choices
from services.reporting.rules.reviews import Happened, ReviewedUntil


async def watch(conn: Connection, tenant_id: UUID, now: datetime, next_at: datetime) -> None:
    """Begins to write reviews of a client; of one that has them already it looks no later."""
    await conn.execute(
        """
        INSERT INTO reviews AS r (tenant_id, day_until, week_until, next_at)
        VALUES ($1, $2, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET next_at = least(r.next_at, $3)
        """,
        tenant_id,
        now,
        next_at,
    )


async def forget(conn: Connection, tenant_id: UUID) -> None:
    """Writes none any more."""
    await conn.execute(
        """
        DELETE FROM reviews WHERE tenant_id = $1
        """,
        tenant_id,
    )


async def list_due(conn: Connection, now: datetime) -> list[UUID]:
    """Returns the clients whose morning has come."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM reviews WHERE next_at <= $1 ORDER BY next_at
        """,
        now,
    )
    return [row[0] for row in rows]


async def find(conn: Connection, tenant_id: UUID) -> ReviewedUntil | None:
    row = await conn.fetchrow(
        """
        SELECT tenant_id, day_until, week_until FROM reviews WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return ReviewedUntil(*row) if row else None


async def put(conn: Connection, told: ReviewedUntil, next_at: datetime) -> None:
    """Keeps up to when a client's readers were told."""
    await conn.execute(
        """
        UPDATE reviews SET day_until = $2, week_until = $3, next_at = $4 WHERE tenant_id = $1
        """,
        told.tenant_id,
        told.day_until,
        told.week_until,
        next_at,
    )


async def add_miss(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    missed_at: datetime,
    after_run: int,
    now: datetime,
    *,
    told: bool,
    forget_before: datetime,
) -> None:
    """Notes that a run never came; what is too old for any review goes."""
    await conn.execute(
        """
        WITH old AS (
            DELETE FROM misses WHERE tenant_id = $1 AND plan_id = $2 AND noted_at < $7
        )
        INSERT INTO misses (tenant_id, plan_id, missed_at, after_run, noted_at, told)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        plan_id,
        missed_at,
        after_run,
        now,
        told,
        forget_before,
    )


async def list_happened(
    conn: Connection, tenant_id: UUID, since: datetime, until: datetime
) -> list[Happened]:
    """Returns the runs that were reported after a moment and up to another, and what was missed."""
    rows = await conn.fetch(
        """
        SELECT plan_id, arrived_at AS at, outcome, recovers
        FROM runs WHERE tenant_id = $1 AND reported_at > $2 AND reported_at <= $3
        UNION ALL
        SELECT plan_id, missed_at, 'missed', false
        FROM misses WHERE tenant_id = $1 AND noted_at > $2 AND noted_at <= $3
        ORDER BY plan_id, at
        """,
        tenant_id,
        since,
        until,
    )
    return [
        Happened(
            row["plan_id"],
            row["at"],
            "missed"
            if row["outcome"] == "missed"
            else choices.find_news(row["outcome"], recovers=row["recovers"]),
        )
        for row in rows
    ]


async def list_reported_misses(
    conn: Connection, tenant_id: UUID, since: datetime, until: datetime
) -> set[UUID]:
    """Returns the plans of whose misses readers were told in that time."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT plan_id FROM misses
        WHERE tenant_id = $1 AND noted_at > $2 AND noted_at <= $3 AND told
        """,
        tenant_id,
        since,
        until,
    )
    return {row[0] for row in rows}
