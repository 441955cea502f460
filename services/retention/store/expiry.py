"""Expiry: restore points, versions, and the runs that hold it up."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection
from services.retention import rules
from services.retention.store.sessions import LONG_SECONDS


class Hold(NamedTuple):
    """An unusual run that keeps its plan's versions from expiring."""

    tenant_id: UUID
    plan_id: UUID
    plan_name: str
    number: int
    why: str
    held_at: datetime


async def list_plans(conn: Connection, tenant_id: UUID) -> list[UUID]:
    """Returns the tenant's plans."""
    rows = await conn.fetch(
        """
        SELECT plan_id FROM catalogue.plans WHERE tenant_id = $1 ORDER BY plan_id
        """,
        tenant_id,
    )
    return [row[0] for row in rows]


async def lock_judged(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Returns up to which run a plan was judged; keeps others from judging it meanwhile."""
    await conn.execute(
        """
        INSERT INTO judged_runs VALUES ($1, $2, 0) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        plan_id,
    )
    number: int = await conn.fetchval(
        """
        SELECT number FROM judged_runs WHERE tenant_id = $1 AND plan_id = $2 FOR UPDATE
        """,
        tenant_id,
        plan_id,
    )
    return number


async def list_run_facts(
    conn: Connection, tenant_id: UUID, plan_id: UUID, after: int
) -> list[tuple[int, rules.expiry.RunFacts | None]]:
    """Returns (number, facts) of restore points after a run, oldest first; the first has none.

    What a run superseded is what ends with the number before its own.
    """
    rows = await conn.fetch(
        """
        SELECT r.number, p.files_total, p.bytes_protected, c.files, c.bytes,
               r.files_total, r.bytes_protected
        FROM catalogue.runs r
        LEFT JOIN LATERAL (
            SELECT files_total, bytes_protected FROM catalogue.runs p
            WHERE p.tenant_id = $1 AND p.plan_id = $2 AND p.number < r.number
            ORDER BY p.number DESC LIMIT 1
        ) p ON true
        CROSS JOIN LATERAL (
            SELECT count(*) AS files, coalesce(sum(v.size), 0)::bigint AS bytes
            FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = $2
            AND v.last_run = r.number - 1 AND v.kind = 'f'
        ) c
        WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.number > $3 ORDER BY r.number
        """,
        tenant_id,
        plan_id,
        after,
        timeout=LONG_SECONDS,
    )
    return [
        (row[0], None if row[1] is None else rules.expiry.RunFacts(row[1], row[2], *row[3:7]))
        for row in rows
    ]


async def put_judged(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> None:
    """Writes down up to which run a plan was judged."""
    await conn.execute(
        """
        UPDATE judged_runs SET number = $3 WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
        number,
    )


async def add_hold(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int, why: str, now: datetime
) -> None:
    """Holds a plan's expiry because of one of its runs."""
    await conn.execute(
        """
        INSERT INTO expiry_holds (tenant_id, plan_id, number, why, held_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        plan_id,
        number,
        why,
        now,
    )


async def list_holds(conn: Connection) -> list[Hold]:
    """Returns the holds of all tenants that nobody cleared, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT h.tenant_id, h.plan_id, coalesce(p.name, ''), h.number, h.why, h.held_at
        FROM expiry_holds h LEFT JOIN catalogue.plans p USING (tenant_id, plan_id)
        WHERE h.cleared_at IS NULL ORDER BY h.held_at, h.plan_id, h.number
        """
    )
    return [Hold(*row) for row in rows]


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


async def clear_holds(conn: Connection, plan_id: UUID, reason: str, now: datetime) -> list[int]:
    """Clears the holds of a plan; returns the numbers of their runs."""
    rows = await conn.fetch(
        """
        UPDATE expiry_holds SET cleared_at = $2, cleared_reason = $3
        WHERE plan_id = $1 AND cleared_at IS NULL RETURNING number
        """,
        plan_id,
        now,
        reason,
    )
    return sorted(row[0] for row in rows)


async def find_oldest_kept(
    conn: Connection, tenant_id: UUID, plan_id: UUID, cutoff: datetime
) -> int | None:
    """Returns the restore point that was the newest at the cutoff; None if there was none.

    No later one may come before an earlier one in time: a run that was committed while some
    clock was wrong keeps back what it and its followers superseded.
    """
    number: int | None = await conn.fetchval(
        """
        SELECT max(number) FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2
        AND number < coalesce((SELECT min(number) FROM catalogue.runs
            WHERE tenant_id = $1 AND plan_id = $2 AND committed_at > $3), 2147483647)
        """,
        tenant_id,
        plan_id,
        cutoff,
    )
    return number


async def remove_broken_points(
    conn: Connection, tenant_id: UUID, plan_id: UUID, oldest_kept: int
) -> list[int]:
    """Deletes the restore points that see a version which ended before `oldest_kept`."""
    rows = await conn.fetch(
        """
        DELETE FROM catalogue.runs r WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.number < $3
        AND EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = $2
            AND v.last_run >= r.number AND v.last_run < $3 AND v.first_run <= r.number)
        RETURNING r.number
        """,
        tenant_id,
        plan_id,
        oldest_kept,
        timeout=LONG_SECONDS,
    )
    return sorted(row[0] for row in rows)


async def remove_versions(
    conn: Connection, tenant_id: UUID, plan_id: UUID, oldest_kept: int, limit: int
) -> tuple[int, int]:
    """Deletes some of the versions that ended before `oldest_kept`; returns (how many, bytes)."""
    row = await conn.fetchrow(
        """
        WITH gone AS (
            DELETE FROM catalogue.versions WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM catalogue.versions
                WHERE tenant_id = $1 AND plan_id = $2 AND last_run < $3 LIMIT $4))
            RETURNING size
        ) SELECT count(*), coalesce(sum(size), 0)::bigint FROM gone
        """,
        tenant_id,
        plan_id,
        oldest_kept,
        limit,
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return row[0], row[1]
