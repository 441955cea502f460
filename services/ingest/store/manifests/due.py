"""What the bucket must still be told: how runs ended, and whole lists of plans."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared import bucket, reasons
from libs.shared.database import Connection


class DueList(NamedTuple):
    """A plan whose deltas outgrew its last whole list, and what they came to."""

    tenant_id: UUID
    plan_id: UUID
    last_run: int
    entries: int
    runs: int


async def mark_tried(conn: Connection, tenant_id: UUID, run_id: UUID, now: datetime) -> None:
    """Writes down that a head of this run may come to lie in the bucket."""
    await conn.execute(
        """
        UPDATE runs SET tried_at = $3 WHERE tenant_id = $1 AND run_id = $2 AND tried_at IS NULL
        """,
        tenant_id,
        run_id,
        now,
    )


async def find_end(conn: Connection, tenant_id: UUID, run_id: UUID) -> bucket.End:
    """Returns how a run that is closed ended, and what of the plan's past was kept by then."""
    row = await conn.fetchrow(
        """
        SELECT r.tenant_id, r.plan_id, r.run_id, r.number, r.state, r.head_key, r.finished_at,
            r.outcome, r.reason, c.files_total, c.bytes_protected,
            (SELECT min(v.last_run) FROM catalogue.versions v WHERE v.tenant_id = r.tenant_id
        AND v.plan_id = r.plan_id AND v.last_run IS NOT NULL) AS superseded_from
        FROM runs r LEFT JOIN catalogue.runs c ON c.tenant_id = r.tenant_id
        AND c.plan_id = r.plan_id AND c.number = r.number
        WHERE r.tenant_id = $1 AND r.run_id = $2 AND r.state <> 'open'
        """,
        tenant_id,
        run_id,
    )
    if row is None:
        raise LookupError(f"run {run_id} has not ended")
    return bucket.End(**{**row, "reason": reasons.read(row["reason"])})


async def mark_end_written(conn: Connection, tenant_id: UUID, run_id: UUID) -> None:
    """Writes down that the bucket knows of a run's end."""
    await conn.execute(
        """
        UPDATE runs SET end_written = true WHERE tenant_id = $1 AND run_id = $2
        """,
        tenant_id,
        run_id,
    )


async def list_pending_ends(
    conn: Connection, before: datetime, limit: int
) -> list[tuple[UUID, UUID]]:
    """Returns (tenant, run) of runs of which the bucket may have a head, but not the end."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, run_id FROM runs WHERE tried_at IS NOT NULL
        AND finished_at IS NOT NULL AND NOT end_written AND finished_at < $1
        ORDER BY finished_at LIMIT $2
        """,
        before,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def count_delta(
    conn: Connection, tenant_id: UUID, plan_id: UUID, entries: int, *, is_whole: bool
) -> None:
    """Adds a run's delta to what came since the plan's last whole list, or makes it that list."""
    await conn.execute(
        """
        UPDATE plans SET listed_entries = CASE WHEN $4 THEN $3 ELSE listed_entries END,
            unlisted_entries = CASE WHEN $4 THEN 0 ELSE unlisted_entries + $3 END,
            unlisted_runs = CASE WHEN $4 THEN 0 ELSE unlisted_runs + 1 END
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
        entries,
        is_whole,
    )


async def list_due_lists(conn: Connection, least_entries: int, most_runs: int) -> list[DueList]:
    """Returns the plans that want a whole list most.

    One is due when the deltas outgrew the last list, and after so many runs in any case.
    """
    rows = await conn.fetch(
        """
        SELECT p.tenant_id, p.plan_id, c.last_run, p.unlisted_entries, p.unlisted_runs
        FROM plans p JOIN catalogue.plans c
        ON c.tenant_id = p.tenant_id AND c.plan_id = p.plan_id
        WHERE c.last_run IS NOT NULL AND (p.unlisted_runs >= $2
        OR p.unlisted_entries >= greatest(p.listed_entries, $1))
        ORDER BY p.unlisted_entries DESC LIMIT 20
        """,
        least_entries,
        most_runs,
    )
    return [DueList(*row) for row in rows]


async def mark_listed(conn: Connection, due: DueList, listed_entries: int) -> None:
    """Writes down that a whole list was stored; what runs said meanwhile is kept in mind."""
    await conn.execute(
        """
        UPDATE plans SET listed_entries = $3,
            unlisted_entries = greatest(unlisted_entries - $4, 0),
            unlisted_runs = greatest(unlisted_runs - $5, 0)
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        due.tenant_id,
        due.plan_id,
        listed_entries,
        due.entries,
        due.runs,
    )
