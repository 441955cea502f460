"""SQL of what a client's plans did day by day, and when each was copied last."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.runs import DayRuns


async def list_days(
    conn: Connection, tenant_id: UUID, since: datetime, timezone: str
) -> dict[UUID, list[DayRuns]]:
    """By plan, the worst run of each day of the client's calendar, and how many there were."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (plan_id, day) plan_id, day, number, outcome,
               count(*) OVER (PARTITION BY plan_id, day) AS runs
        FROM (
            SELECT plan_id, (started_at AT TIME ZONE $3)::date AS day, number, outcome,
                   CASE outcome WHEN 'failed' THEN 1 WHEN 'succeeded_with_warnings' THEN 2
                                WHEN 'succeeded' THEN 4 ELSE 3 END AS rank
            FROM runs WHERE tenant_id = $1 AND started_at >= $2
        ) r ORDER BY plan_id, day, rank, number DESC
        """,
        tenant_id,
        since,
        timezone,
    )
    found: dict[UUID, list[DayRuns]] = {}
    for row in rows:
        one = DayRuns(row["day"], row["number"], row["outcome"], row["runs"])
        found.setdefault(row["plan_id"], []).append(one)
    return found


async def list_missed(
    conn: Connection, tenant_id: UUID, since: datetime
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    """By plan, from when until when no run came that was due."""
    rows = await conn.fetch(
        """
        SELECT plan_id, greatest(min(since), $2) AS first, missed_at FROM misses
        WHERE tenant_id = $1 AND missed_at >= $2 GROUP BY plan_id, missed_at
        """,
        tenant_id,
        since,
    )
    found: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for row in rows:
        found.setdefault(row["plan_id"], []).append((row["first"], row["missed_at"]))
    return found


async def list_last_good(
    conn: Connection, tenant_id: UUID, plan_ids: list[UUID]
) -> dict[UUID, datetime]:
    """By plan, when the last run ended that left a restore point."""
    rows = await conn.fetch(
        """
        SELECT wanted.id, r.finished_at FROM unnest($2::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT finished_at FROM runs
            WHERE tenant_id = $1 AND plan_id = wanted.id AND restore_point
            ORDER BY number DESC LIMIT 1
        ) r WHERE r.finished_at IS NOT NULL
        """,
        tenant_id,
        plan_ids,
    )
    return {row["id"]: row["finished_at"] for row in rows}
