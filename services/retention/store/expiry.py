"""Expiry: restore points, versions, and the runs that hold it up."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from libs.shared import database, reasons
from libs.shared.catalogue.rows import kept
from libs.shared.database import Connection
from libs.shared.reasons import Reason
from services.retention import rules
from services.retention.store.sessions import LONG_SECONDS

Judge = Literal["retention", "reporting"]
"""Whose judgement a hold is."""


class Hold(NamedTuple):
    """A run in which so much was gone that its plan's versions don't expire."""

    tenant_id: UUID
    plan_id: UUID
    plan_name: str
    number: int
    reason: Reason
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


class Judged(NamedTuple):
    """How far a plan was judged: its first restore point, the last one judged, the oldest kept."""

    first_run: int
    number: int
    kept_from: int


async def lock_judged(conn: Connection, tenant_id: UUID, plan_id: UUID) -> Judged | None:
    """Returns how far a plan was judged, and keeps others from judging it meanwhile.

    None where it has no restore point.
    """
    await conn.execute(
        """
        INSERT INTO judged_runs (tenant_id, plan_id, number, first_run)
        SELECT $1, $2, 0, min(number) FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2
        HAVING count(*) > 0
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET first_run = excluded.first_run
        WHERE judged_runs.first_run IS NULL
        """,
        tenant_id,
        plan_id,
    )
    row = await conn.fetchrow(
        """
        SELECT first_run, number, kept_from FROM judged_runs
        WHERE tenant_id = $1 AND plan_id = $2 AND first_run IS NOT NULL FOR UPDATE
        """,
        tenant_id,
        plan_id,
    )
    return Judged(*row) if row else None


async def list_points(
    conn: Connection, tenant_id: UUID, plan_id: UUID, since: int
) -> list[rules.expiry.Point]:
    """Returns the restore points from one on, oldest first; nothing of any of them expired."""
    rows = await conn.fetch(
        """
        SELECT number, committed_at, files_total, bytes_protected FROM catalogue.runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number >= $3 ORDER BY number
        """,
        tenant_id,
        plan_id,
        since,
    )
    return [rules.expiry.Point(*row) for row in rows]


async def is_superseded_since(conn: Connection, tenant_id: UUID, plan_id: UUID, since: int) -> bool:
    """Whether a version of the plan ended with that restore point or a later one."""
    return bool(
        await conn.fetchval(
            """
            SELECT EXISTS (SELECT FROM catalogue.versions
            WHERE tenant_id = $1 AND plan_id = $2 AND last_run >= $3)
            """,
            tenant_id,
            plan_id,
            since,
        )
    )


_CLOSED = f"""
        SELECT folder_id, name, first_run, last_run, size, chunk_ids,
            received_at < $4 OR (first_run = $5 AND mtime_ns < $6) AS is_settled
        FROM catalogue.versions v WHERE tenant_id = $1 AND plan_id = $2 AND last_run >= $3
        AND kind = 'f' AND size > 0 AND {kept("v")}"""


async def list_superseded(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    since: int,
    first_run: int,
    settled_before: datetime,
) -> list[rules.expiry.Gone]:
    """Returns all files that ended with that restore point or a later one, as if all were gone.

    A file of the plan's first restore point is as old as it says, if that is older.
    """
    rows = await conn.fetch(
        f"""
        SELECT first_run, last_run, last_run, is_settled, false, count(*), sum(size)::bigint
        FROM ({_CLOSED}) AS closed GROUP BY first_run, last_run, is_settled
        """,
        tenant_id,
        plan_id,
        since,
        settled_before,
        first_run,
        _in_ns(settled_before),
        timeout=LONG_SECONDS,
    )
    return [rules.expiry.Gone(*row) for row in rows]


async def list_gone(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    since: int,
    first_run: int,
    settled_before: datetime,
) -> list[rules.expiry.Gone]:
    """Returns of `list_superseded` what the newest restore point has under no name.

    Files are there where their content is, or more than half of its chunks in the same place;
    bytes are, wherever their chunk is.
    """
    rows = await conn.fetch(
        f"""
        WITH here AS MATERIALIZED (
            SELECT v.folder_id, v.name, v.size, v.chunk_ids
            FROM catalogue.folders f JOIN catalogue.versions v USING (tenant_id, folder_id)
            WHERE f.tenant_id = $1 AND f.plan_id = $2 AND v.last_run IS NULL AND v.kind = 'f'
        ), gone AS MATERIALIZED (
            SELECT c.first_run, c.last_run, c.is_settled, c.size, c.chunk_ids,
                max(c.last_run) OVER (PARTITION BY c.chunk_ids) AS died,
                row_number() OVER () AS place, h.size IS NOT NULL AS is_named,
                coalesce(h.size * 2 >= c.size, false) AS in_place
            FROM ({_CLOSED}) AS c LEFT JOIN here h USING (folder_id, name)
            WHERE NOT EXISTS (SELECT FROM here s WHERE s.chunk_ids = c.chunk_ids)
        ), kept AS (
            SELECT g.place, count(*) * 32 AS octets
            FROM gone g CROSS JOIN split_ids(g.chunk_ids) AS id
            JOIN (SELECT DISTINCT h_id FROM here CROSS JOIN split_ids(chunk_ids) AS h_id) AS ids
                ON ids.h_id = id
            GROUP BY g.place
        ), counted AS (
            SELECT g.*, coalesce(k.octets, 0)::bigint AS octets, octet_length(g.chunk_ids) AS whole
            FROM gone g LEFT JOIN kept k USING (place)
        ) SELECT first_run, last_run, died, is_settled, in_place,
            count(*) FILTER (WHERE NOT is_named OR octets * 2 <= whole),
            coalesce(sum(size - size * octets / whole), 0)::bigint
        FROM counted GROUP BY first_run, last_run, died, is_settled, in_place
        """,
        tenant_id,
        plan_id,
        since,
        settled_before,
        first_run,
        _in_ns(settled_before),
        timeout=LONG_SECONDS,
    )
    return [rules.expiry.Gone(*row) for row in rows]


def _in_ns(moment: datetime) -> int:
    return round(moment.timestamp()) * 10**9


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


async def put_kept_from(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> None:
    """Writes down which restore point is the oldest that expiry keeps."""
    await conn.execute(
        """
        UPDATE judged_runs SET kept_from = $3 WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
        number,
    )


async def find_last_hold(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Returns the newest run that held the plan's expiry by our own judgement; 0 if none did."""
    number: int = await conn.fetchval(
        """
        SELECT coalesce(max(number), 0) FROM expiry_holds
        WHERE tenant_id = $1 AND plan_id = $2 AND judge = 'retention'
        """,
        tenant_id,
        plan_id,
    )
    return number


async def add_hold(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    number: int,
    loss: rules.expiry.Loss,
    now: datetime,
    judge: Judge = "retention",
) -> None:
    """Holds a plan's expiry because of what one of its runs is."""
    await conn.execute(
        """
        INSERT INTO expiry_holds (tenant_id, plan_id, number, since, reason, held_at, judge)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tenant_id,
        plan_id,
        number,
        loss.since,
        reasons.write(loss.reason),
        now,
        judge,
    )


async def list_holds(conn: Connection) -> list[Hold]:
    """Returns the holds of all tenants that nobody cleared, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT h.tenant_id, h.plan_id, coalesce(p.name, '') AS plan_name, h.number, h.reason,
            h.held_at
        FROM expiry_holds h LEFT JOIN catalogue.plans p USING (tenant_id, plan_id)
        WHERE h.cleared_at IS NULL ORDER BY h.held_at, h.plan_id, h.number
        """
    )
    return [
        Hold(**{**row, "reason": reasons.read(row["reason"]) or Reason("failed")}) for row in rows
    ]


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


async def clear_holds(
    conn: Connection, plan_id: UUID, reason: str, now: datetime
) -> list[tuple[UUID, int]]:
    """Clears the holds of a plan; returns whose plan it is, with the numbers of their runs."""
    rows = await conn.fetch(
        """
        UPDATE expiry_holds SET cleared_at = $2, cleared_reason = $3
        WHERE plan_id = $1 AND cleared_at IS NULL RETURNING tenant_id, number
        """,
        plan_id,
        now,
        reason,
    )
    return sorted({(row[0], row[1]) for row in rows})


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


async def remove_digests(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Deletes what folders came to at no restore point that is left; returns how many rows."""
    status = await conn.execute(
        """
        DELETE FROM catalogue.folder_digests d USING catalogue.folders f
        WHERE f.tenant_id = $1 AND f.plan_id = $2 AND d.tenant_id = $1
        AND d.folder_id = f.folder_id AND NOT EXISTS (SELECT FROM catalogue.runs r
            WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.number >= d.first_run
            AND r.number < (SELECT min(n.first_run) FROM catalogue.folder_digests n
                WHERE n.tenant_id = $1 AND n.folder_id = d.folder_id
                AND n.first_run > d.first_run))
        AND EXISTS (SELECT FROM catalogue.folder_digests n WHERE n.tenant_id = $1
            AND n.folder_id = d.folder_id AND n.first_run > d.first_run)
        """,
        tenant_id,
        plan_id,
        timeout=LONG_SECONDS,
    )
    return database.changed(status)


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


async def remove_attribute_sets(conn: Connection, tenant_id: UUID, used_before: datetime) -> int:
    """Deletes sets of attributes that no version has any more; returns how many.

    A commit that brings one again moves its `used_at` under the row's lock, and this looks again.
    """
    status = await conn.execute(
        """
        DELETE FROM catalogue.attribute_sets s WHERE s.tenant_id = $1 AND s.used_at < $2
        AND NOT EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1
            AND v.attributes_id = s.attributes_id)
        """,
        tenant_id,
        used_before,
        timeout=LONG_SECONDS,
    )
    return database.changed(status)
