"""Plans, restore points, and what one of them holds."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from libs.shared.catalogue.rows import (
    ENTRY_COLUMNS,
    ROOT,
    ChunkPlace,
    EntryRow,
    Plan,
    RestorePoint,
    split_path,
)

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link

_FOLDERS_AT_ONCE = 64
_ROWS_AT_ONCE = 2_000


async def find_plan(conn: Link, tenant_id: UUID, plan_id: UUID) -> Plan | None:
    """Returns the plan, None if the tenant has no such plan."""
    row = await conn.fetchrow(
        "SELECT plan_id, agent_id, name, created_at, last_run FROM catalogue.plans"
        " WHERE tenant_id = $1 AND plan_id = $2",
        tenant_id,
        plan_id,
    )
    return Plan(**row) if row else None


async def list_runs(conn: Link, tenant_id: UUID, plan_id: UUID) -> list[RestorePoint]:
    """Returns the plan's restore points, newest first."""
    rows = await conn.fetch(
        "SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected"
        " FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2 ORDER BY number DESC",
        tenant_id,
        plan_id,
    )
    return [RestorePoint(**row) for row in rows]


async def resolve_run(
    conn: Link, tenant_id: UUID, plan_id: UUID, number: int | None
) -> RestorePoint | None:
    """Returns the restore point of that number, or the newest; None if there is none."""
    row = await conn.fetchrow(
        "SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected"
        " FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2"
        " AND ($3::integer IS NULL OR number = $3) ORDER BY number DESC LIMIT 1",
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
        "SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected"
        " FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2 AND committed_at <= $3"
        " ORDER BY number DESC LIMIT 1",
        tenant_id,
        plan_id,
        at,
    )
    return RestorePoint(**row) if row else None


async def find_folder(conn: Link, tenant_id: UUID, plan_id: UUID, path: bytes) -> int | None:
    """Returns the id of the folder that any run saw at this path, None if none did."""
    folder_id: int | None = await conn.fetchval(
        "WITH RECURSIVE step (depth, folder_id) AS ("
        "  SELECT 0, folder_id FROM catalogue.folders"
        "  WHERE tenant_id = $1 AND plan_id = $2 AND parent_id = 0 AND name = ''"
        "  UNION ALL"
        "  SELECT step.depth + 1, f.folder_id FROM step JOIN catalogue.folders f"
        "  ON f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = step.folder_id"
        "  AND f.name = ($3::bytea[])[step.depth + 1]"
        ") SELECT folder_id FROM step WHERE depth = cardinality($3::bytea[])",
        tenant_id,
        plan_id,
        split_path(path),
    )
    return folder_id


async def list_folder(
    conn: Link, tenant_id: UUID, plan_id: UUID, run_number: int, path: bytes
) -> list[EntryRow]:
    """Returns what a run saw in a folder, folders first, then by name.

    Empty as well where the run has no such folder: ask `find_entry` to tell.
    """
    folder_id = await find_folder(conn, tenant_id, plan_id, path)
    if folder_id is None:
        return []
    rows = await conn.fetch(
        f"SELECT {ENTRY_COLUMNS} FROM catalogue.versions v"  # noqa: S608 - a constant
        " WHERE v.tenant_id = $1 AND v.folder_id = $2 AND v.first_run <= $3"
        " AND (v.last_run IS NULL OR v.last_run >= $3) ORDER BY v.kind <> 'd', v.name",
        tenant_id,
        folder_id,
        run_number,
    )
    return [EntryRow(*row) for row in rows]


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
        f"SELECT {ENTRY_COLUMNS} FROM catalogue.versions v"  # noqa: S608 - a constant
        " WHERE v.tenant_id = $1 AND v.folder_id = $2 AND v.name = $4 AND v.first_run <= $3"
        " AND (v.last_run IS NULL OR v.last_run >= $3)",
        tenant_id,
        folder_id,
        run_number,
        components[-1],
    )
    return EntryRow(*row) if row else None


async def walk(
    conn: Link, tenant_id: UUID, plan_id: UUID, run_number: int, path: bytes = b""
) -> AsyncIterator[tuple[bytes, list[EntryRow]]]:
    """Yields what a run saw below a folder: folder path and some of its entries, by name.

    A folder's own entry comes before what is in it; a large folder comes in several slices, an
    empty one not at all. Needs an open transaction; holds one slice and the folders still to
    visit, never the tree.
    """
    start = await find_folder(conn, tenant_id, plan_id, path)
    if start is None:
        return
    waiting: deque[tuple[int, bytes]] = deque([(start, b"/".join(split_path(path)))])
    while waiting:
        # Newest first keeps the waiting list as short as the tree is deep times a folder's width.
        folders = dict(waiting.pop() for _ in range(min(_FOLDERS_AT_ONCE, len(waiting))))
        async for folder_id, entries, below in _walk_folders(
            conn, tenant_id, plan_id, run_number, list(folders)
        ):
            folder = folders[folder_id]
            prefix = folder + b"/" if folder else b""
            waiting.extend((child, prefix + name) for child, name in below)
            yield folder, entries


async def _walk_folders(
    conn: Link, tenant_id: UUID, plan_id: UUID, run_number: int, folder_ids: list[int]
) -> AsyncIterator[tuple[int, list[EntryRow], list[tuple[int, bytes]]]]:
    """Yields (folder id, some of its entries, (id, name) of the folders among them)."""
    cursor = conn.cursor(
        # Not a join: that would hash all of the plan's folders for each of these few.
        f"SELECT {ENTRY_COLUMNS}, v.folder_id,"  # noqa: S608 - a constant
        " CASE WHEN v.kind = 'd' THEN (SELECT f.folder_id FROM catalogue.folders f"
        "  WHERE f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = v.folder_id"
        "  AND f.name = v.name) END"
        # Nor a condition on all of them: while the statistics don't know the tenant, that would
        # be read in the order of the key, through all of the tenant's rows.
        " FROM unnest($3::bigint[]) WITH ORDINALITY AS k (folder_id, place) CROSS JOIN LATERAL ("
        "  SELECT * FROM catalogue.versions WHERE tenant_id = $1 AND folder_id = k.folder_id"
        "  AND first_run <= $4 AND (last_run IS NULL OR last_run >= $4) ORDER BY name) v"
        " ORDER BY k.place, v.name",
        tenant_id,
        plan_id,
        folder_ids,
        run_number,
        prefetch=_ROWS_AT_ONCE,
    )
    current = 0
    entries: list[EntryRow] = []
    below: list[tuple[int, bytes]] = []
    async for row in cursor:
        *columns, folder_id, child_id = row
        if entries and (folder_id != current or len(entries) >= _ROWS_AT_ONCE):
            yield current, entries, below
            entries, below = [], []
        current = folder_id
        entry = EntryRow(*columns)
        entries.append(entry)
        if child_id is not None:
            below.append((child_id, entry.name))
    if entries:
        yield current, entries, below


async def locate_chunks(
    conn: Link, tenant_id: UUID, chunk_ids: Sequence[bytes]
) -> dict[bytes, ChunkPlace]:
    """Returns where each chunk lies; an id that the tenant doesn't have is left out."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key; as a join they read the whole of both tables.
        'SELECT c.chunk_id, p.pack_id, c.pack_no, c."offset", c.length, c.size, c.encoding,'
        " c.crc32 FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL ("
        "  SELECT * FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = k.chunk_id LIMIT 1"
        " ) c CROSS JOIN LATERAL ("
        "  SELECT * FROM catalogue.packs WHERE tenant_id = $1 AND pack_no = c.pack_no LIMIT 1"
        " ) p",
        tenant_id,
        list(chunk_ids),
    )
    return {row[0]: ChunkPlace(*row) for row in rows}
