"""Plans, restore points, and what one of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from libs.shared.catalogue.rows import (
    ENTRY_COLUMNS,
    ROOT,
    CataloguePlan,
    ChunkPlace,
    EntryRow,
    RestorePoint,
    kept,
    shown,
    split_path,
)

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link


_KEPT, _SHOWN = kept("v"), shown("r")


async def find_plan(conn: Link, tenant_id: UUID, plan_id: UUID) -> CataloguePlan | None:
    """Returns the plan, None if the tenant has no such plan."""
    row = await conn.fetchrow(
        """
        SELECT plan_id, agent_id, name, created_at, last_run FROM catalogue.plans
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    return CataloguePlan(**row) if row else None


async def list_runs(
    conn: Link, tenant_id: UUID, plan_id: UUID, *, hidden: bool = False
) -> list[RestorePoint]:
    """Returns the plan's restore points, newest first.

    hidden: with those that a reduction hides.
    """
    rows = await conn.fetch(
        f"""
        SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected,
        sealed FROM catalogue.runs r WHERE tenant_id = $1 AND plan_id = $2
        AND ($3 OR {_SHOWN}) ORDER BY number DESC
        """,  # noqa: S608 - a constant
        tenant_id,
        plan_id,
        hidden,
    )
    return [RestorePoint(**row) for row in rows]


async def resolve_run(
    conn: Link, tenant_id: UUID, plan_id: UUID, number: int | None
) -> RestorePoint | None:
    """Returns the restore point of that number, or the newest; None if there is none."""
    row = await conn.fetchrow(
        f"""
        SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected,
        sealed FROM catalogue.runs r WHERE tenant_id = $1 AND plan_id = $2
        AND ($3::integer IS NULL OR number = $3) AND {_SHOWN} ORDER BY number DESC LIMIT 1
        """,  # noqa: S608 - a constant
        tenant_id,
        plan_id,
        number,
    )
    return RestorePoint(**row) if row else None


async def resolve_run_at(
    conn: Link, tenant_id: UUID, plan_id: UUID, at: datetime
) -> RestorePoint | None:
    """Returns the last restore point that is not later than a moment; None if there is none."""
    row = await conn.fetchrow(
        f"""
        SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected,
        sealed FROM catalogue.runs r WHERE tenant_id = $1 AND plan_id = $2 AND committed_at <= $3
        AND {_SHOWN} ORDER BY number DESC LIMIT 1
        """,  # noqa: S608 - a constant
        tenant_id,
        plan_id,
        at,
    )
    return RestorePoint(**row) if row else None


async def find_oldest_kept(
    conn: Link, tenant_id: UUID, plan_id: UUID, cutoff: datetime
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


async def list_reductions(conn: Link, tenant_id: UUID, plan_id: UUID) -> list[UUID]:
    """Returns the reductions of a plan that are in effect."""
    rows = await conn.fetch(
        """
        SELECT reduction_id FROM catalogue.reductions
        WHERE tenant_id = $1 AND plan_id = $2 AND state <> 'withdrawn'
        """,
        tenant_id,
        plan_id,
    )
    return [row[0] for row in rows]


async def find_folder(conn: Link, tenant_id: UUID, plan_id: UUID, path: bytes) -> int | None:
    """Returns the id of the folder that any run saw at this path, None if none did."""
    folder_id: int | None = await conn.fetchval(
        """
        WITH RECURSIVE step (depth, folder_id) AS (
            SELECT 0, folder_id FROM catalogue.folders
            WHERE tenant_id = $1 AND plan_id = $2 AND parent_id = 0 AND name = ''
            UNION ALL
            SELECT step.depth + 1, f.folder_id FROM step JOIN catalogue.folders f
            ON f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = step.folder_id
            AND f.name = ($3::bytea[])[step.depth + 1]
        ) SELECT folder_id FROM step WHERE depth = cardinality($3::bytea[])
        """,
        tenant_id,
        plan_id,
        split_path(path),
    )
    return folder_id


async def find_entry(
    conn: Link, tenant_id: UUID, plan_id: UUID, run_number: int, path: bytes
) -> EntryRow | None:
    """Returns the version that a run saw at this path (`ROOT` for the root), None if none."""
    components = split_path(path)
    if not components:
        return ROOT
    folder_id = await find_folder(conn, tenant_id, plan_id, b"/".join(components[:-1]))
    if folder_id is None:
        return None
    row = await conn.fetchrow(
        f"""
        SELECT {ENTRY_COLUMNS} FROM catalogue.versions v
        WHERE v.tenant_id = $1 AND v.folder_id = $2 AND v.name = $4 AND v.first_run <= $3
        AND (v.last_run IS NULL OR v.last_run >= $3) AND {_KEPT}
        """,  # noqa: S608 - a constant
        tenant_id,
        folder_id,
        run_number,
        components[-1],
    )
    return EntryRow(*row) if row else None


async def find_entries(
    conn: Link, place: tuple[UUID, UUID, int], folder: bytes, names: Sequence[bytes]
) -> list[EntryRow]:
    """Returns the versions that a run saw of some names in a folder, by name; place: its run's."""
    tenant_id, plan_id, number = place
    folder_id = await find_folder(conn, tenant_id, plan_id, folder)
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key.
        f"""
        SELECT {ENTRY_COLUMNS} FROM unnest($4::bytea[]) AS k (name) CROSS JOIN LATERAL (
            SELECT * FROM catalogue.versions w WHERE w.tenant_id = $1 AND w.folder_id = $2
                AND w.name = k.name AND w.first_run <= $3
                AND (w.last_run IS NULL OR w.last_run >= $3) LIMIT 1) v
        WHERE {_KEPT} ORDER BY v.name
        """,  # noqa: S608 - a constant
        tenant_id,
        folder_id,
        number,
        list(names),
    )
    return [EntryRow(*row) for row in rows]


async def locate_chunks(
    conn: Link, tenant_id: UUID, chunk_ids: Sequence[bytes]
) -> dict[bytes, ChunkPlace]:
    """Returns where each chunk lies; an id that the tenant doesn't have is left out."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key; as a join they read the whole of both tables.
        """
        SELECT c.chunk_id, p.pack_id, c.pack_no, c."offset", c.length, c.size, c.encoding,
        c.crc32, c.start, c.frame_size FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL (
            SELECT * FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = k.chunk_id LIMIT 1
        ) c CROSS JOIN LATERAL (
            SELECT * FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = c.pack_no LIMIT 1
        ) p
        """,
        tenant_id,
        list(chunk_ids),
    )
    return {row[0]: ChunkPlace(*row) for row in rows}
