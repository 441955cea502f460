"""SQL of judging a plan: its restore points, and what ended with them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.catalogue.rows import kept
from libs.shared.database import Connection
from services.retention import rules
from services.retention.store.sessions import LONG_SECONDS


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
) -> list[rules.expiry.KeptPoint]:
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
    return [rules.expiry.KeptPoint(*row) for row in rows]


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
