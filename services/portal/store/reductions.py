"""What fills a client's volume, what dropping would free, and what was dropped.

What is of the catalogue is read within a `tenant_transaction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.catalogue.rows import kept, stored
from libs.shared.database import Connection
from libs.shared.events import ReductionApplied
from services.portal.rules.reductions import Reduction, What

_COLUMNS = """reduction_id, plan_id, plan_name, what, folder, before, ordered_by, ordered_at,
    state, freed_bytes, undo_until"""


_LONG_SECONDS = 125.0
"""The driver's time-out for a preview; the server's is a little shorter."""


@dataclass(frozen=True)
class Fill:
    """A folder with all below it: current files, their sizes, and what only it needs."""

    folder_id: int
    plan_id: UUID
    name: bytes
    files: int
    size_bytes: int
    freed_bytes: int
    counted_at: datetime


async def list_fills(conn: Connection, tenant_id: UUID, parent_id: int, limit: int) -> list[Fill]:
    """Returns what lies directly in a folder, what would free most first; in 0 lie all roots."""
    rows = await conn.fetch(
        """
        SELECT folder_id, plan_id, name, files, size_bytes, freed_bytes, counted_at
        FROM catalogue.fills WHERE tenant_id = $1 AND parent_id = $2
        ORDER BY freed_bytes DESC, size_bytes DESC, name LIMIT $3
        """,
        tenant_id,
        parent_id,
        limit,
    )
    return [Fill(*row) for row in rows]


async def find_fill(conn: Connection, tenant_id: UUID, folder_id: int) -> Fill | None:
    """Returns what one folder holds; None where it holds nothing."""
    row = await conn.fetchrow(
        """
        SELECT folder_id, plan_id, name, files, size_bytes, freed_bytes, counted_at
        FROM catalogue.fills WHERE tenant_id = $1 AND folder_id = $2
        """,
        tenant_id,
        folder_id,
    )
    return Fill(*row) if row else None


async def plan_by_hashes(conn: Connection) -> None:
    """Has what follows in this transaction join by hashes, whatever the statistics say.

    And take its time: a client may have millions of versions.
    """
    await conn.execute(
        """
        SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
        SET LOCAL work_mem = '32MB'; SET LOCAL statement_timeout = '120s'
        """
    )


@dataclass(frozen=True)
class Preview:
    """What dropping would do now: stored bytes freed, files' versions dropped, of them current."""

    freed_bytes: int
    versions: int
    current_files: int


_SCOPES: dict[What, str] = {
    "plan": "v.plan_id = $2 AND $3::bigint IS NOT NULL AND $4::integer IS NOT NULL",
    "folder": "v.folder_id IN (SELECT folder_id FROM below) AND $4::integer IS NOT NULL",
    "older": "v.plan_id = $2 AND $3::bigint IS NOT NULL AND coalesce(v.last_run < $4, false)",
}


async def preview(
    conn: Connection, tenant_id: UUID, plan_id: UUID, what: What, folder_id: int, oldest_kept: int
) -> Preview:
    """Computes what dropping would do, exactly, from all versions of the tenant.

    folder_id: of the folder, the root's for a plan. A pack of which nothing is needed any more is
    freed whole, of any other what only dropped versions need.
    """
    row = await conn.fetchrow(
        f"""
        WITH RECURSIVE below (folder_id) AS (
            SELECT $3::bigint
            UNION ALL
            SELECT f.folder_id FROM below JOIN catalogue.folders f ON f.tenant_id = $1
            AND f.plan_id = $2 AND f.parent_id = below.folder_id
        ), version AS (
            SELECT v.chunk_ids, v.last_run IS NULL AS is_current, {_SCOPES[what]} AS is_gone
            FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.kind = 'f' AND {kept("v")}
        ), need AS (
            SELECT id, bool_and(is_gone) AS is_gone FROM (
                SELECT catalogue.split_ids(chunk_ids) AS id, is_gone FROM version) s GROUP BY id
        ), pack AS (
            SELECT c.pack_no, bool_and(n.is_gone) AS is_dead,
                sum({stored("c")}) FILTER (WHERE n.is_gone) AS gone
            FROM need n JOIN catalogue.chunks c ON c.tenant_id = $1 AND c.chunk_id = n.id
            GROUP BY c.pack_no
        ) SELECT coalesce(sum(CASE WHEN a.is_dead THEN p.object_bytes - p.dropped_bytes
                ELSE a.gone END), 0)::bigint,
            (SELECT count(*) FROM version WHERE is_gone),
            (SELECT count(*) FROM version WHERE is_gone AND is_current)
        FROM pack a JOIN catalogue.packs p ON p.tenant_id = $1 AND p.pack_no = a.pack_no
        WHERE a.gone > 0 AND p.state <> 'condemned'
        """,
        tenant_id,
        plan_id,
        folder_id,
        oldest_kept,
        timeout=_LONG_SECONDS,
    )
    assert row is not None
    return Preview(*row)


async def add(conn: Connection, tenant_id: UUID, reduction: Reduction) -> bool:
    """Writes a reduction down; False if it is known."""
    status = await conn.execute(
        f"""
        INSERT INTO reductions (tenant_id, {_COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        reduction.reduction_id,
        reduction.plan_id,
        reduction.plan_name,
        reduction.what,
        reduction.folder,
        reduction.before,
        reduction.ordered_by,
        reduction.ordered_at,
        reduction.state,
        reduction.freed_bytes,
        reduction.undo_until,
    )
    return database.changed(status) == 1


async def find(conn: Connection, tenant_id: UUID, reduction_id: UUID) -> Reduction | None:
    """Returns a client's reduction, locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM reductions WHERE tenant_id = $1 AND reduction_id = $2 FOR UPDATE
        """,
        tenant_id,
        reduction_id,
    )
    return Reduction(*row) if row else None


async def list_newest(conn: Connection, tenant_id: UUID, limit: int) -> list[Reduction]:
    """Returns a client's reductions, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM reductions WHERE tenant_id = $1
        ORDER BY ordered_at DESC, reduction_id LIMIT $2
        """,
        tenant_id,
        limit,
    )
    return [Reduction(*row) for row in rows]


async def withdraw(conn: Connection, tenant_id: UUID, reduction_id: UUID) -> None:
    """Writes down that a reduction is to be taken back."""
    await conn.execute(
        """
        UPDATE reductions SET state = 'withdrawing' WHERE tenant_id = $1 AND reduction_id = $2
        """,
        tenant_id,
        reduction_id,
    )


async def put_applied(conn: Connection, event: ReductionApplied) -> None:
    """Keeps how far a reduction is; what is final stays, in whatever order that is heard."""
    await conn.execute(
        """
        UPDATE reductions SET undo_until = coalesce($4, undo_until),
            freed_bytes = CASE $3::text WHEN 'applied' THEN $5 ELSE freed_bytes END,
            state = CASE WHEN state = 'withdrawing' AND $3 = 'applied' THEN state ELSE $3 END
        WHERE tenant_id = $1 AND reduction_id = $2 AND state NOT IN ('withdrawn', 'collected')
        """,
        event.tenant_id,
        event.reduction_id,
        event.state,
        event.undo_until,
        event.freed_bytes,
    )
