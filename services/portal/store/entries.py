"""The catalogue as the portal reads it, beyond what libs.shared.catalogue offers.

All of it within a `tenant_transaction`: row-level security shows one tenant's rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from libs.shared.catalogue import EntryRow
from libs.shared.catalogue.rows import ENTRY_COLUMNS
from libs.shared.database import Connection, Record

# Not a join: that would hash all of the plan's folders for these few.
_CHILD_ID = (
    "CASE WHEN v.kind = 'd' THEN (SELECT f.folder_id FROM catalogue.folders f"
    " WHERE f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = v.folder_id"
    " AND f.name = v.name) END"
)


@dataclass(frozen=True)
class NamedPlan:
    """A plan and the machine that it belongs to."""

    plan_id: UUID
    name: str
    hostname: str


async def find_plans_by_name(conn: Connection, tenant_id: UUID, name: str) -> list[NamedPlan]:
    """A tenant's plans of one name: several machines may use the same."""
    rows = await conn.fetch(
        """SELECT c.plan_id, c.name, coalesce(a.hostname, '') AS hostname
           FROM catalogue.plans c
           LEFT JOIN portal.agents a ON a.agent_id = c.agent_id AND a.tenant_id = c.tenant_id
           WHERE c.tenant_id = $1 AND c.name = $2 ORDER BY a.hostname, c.plan_id""",
        tenant_id,
        name,
    )
    return [NamedPlan(**row) for row in rows]


@dataclass(frozen=True)
class Slice:
    """A part of what a run saw in several folders: by folder and name, after one of them."""

    tenant_id: UUID
    plan_id: UUID
    run_number: int
    folder_ids: list[int]
    after: tuple[int, bytes]
    limit: int


@dataclass(frozen=True)
class Child:
    """An entry met on a walk: the folder it lies in and, of a folder, its own number."""

    folder_id: int
    entry: EntryRow
    child_id: int | None


async def list_slice(conn: Connection, part: Slice) -> list[Child]:
    """What a run saw in several folders."""
    rows = await _fetch_slice(conn, f"{ENTRY_COLUMNS}, v.folder_id, {_CHILD_ID}", part)
    return [Child(row[12], EntryRow(*row[:12]), row[13]) for row in rows]


async def find_pack_ids(conn: Connection, tenant_id: UUID, pack_nos: list[int]) -> dict[int, bytes]:
    """The packs' names by number, of those that the tenant has."""
    rows = await conn.fetch(
        "SELECT pack_no, pack_id FROM catalogue.packs"
        " WHERE tenant_id = $1 AND pack_no = ANY ($2::bigint[])",
        tenant_id,
        pack_nos,
    )
    return {row[0]: row[1] for row in rows}


async def list_places(
    conn: Connection, tenant_id: UUID, chunk_ids: list[bytes]
) -> list[tuple[bytes, int, int, int, int, int]]:
    """(id, pack number, offset, sealed length, size, encoding) of those the tenant has."""
    rows = await conn.fetch(
        # LIMIT keeps these look-ups by key; many at once would read the whole table.
        'SELECT c.chunk_id, c.pack_no, c."offset", c.length, c.size, c.encoding'
        " FROM unnest($2::bytea[]) AS k (chunk_id) CROSS JOIN LATERAL ("
        "  SELECT * FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = k.chunk_id LIMIT 1"
        " ) c",
        tenant_id,
        chunk_ids,
    )
    return [tuple(row) for row in rows]


async def list_slice_plainly(
    conn: Connection, part: Slice
) -> list[tuple[int, int | None, tuple[Any, ...]]]:
    """As `list_slice`: (folder, its own number if it is one, the entry as it travels)."""
    columns = (
        f"v.folder_id, {_CHILD_ID}, v.name, v.kind::text, v.mode, v.mtime_ns, v.uid, v.gid,"
        " v.size, v.target, v.chunk_ids"
    )
    return [(row[0], row[1], row[2:]) for row in await _fetch_slice(conn, columns, part)]


async def _fetch_slice(conn: Connection, columns: str, part: Slice) -> list[Record]:
    return await conn.fetch(
        # A look-up for each folder: as one condition it would be read in the order of the key,
        # through all of a tenant's rows, as long as the statistics don't know the tenant.
        f"""SELECT {columns}
           FROM unnest($3::bigint[]) WITH ORDINALITY AS k (folder_id, place) CROSS JOIN LATERAL (
             SELECT * FROM catalogue.versions
             WHERE tenant_id = $1 AND folder_id = k.folder_id
               AND first_run <= $4 AND (last_run IS NULL OR last_run >= $4)
               AND name > CASE WHEN k.folder_id = $5 THEN $6 ELSE ''::bytea END
             ORDER BY name LIMIT $7) v
           WHERE k.folder_id >= $5 ORDER BY k.place, v.name LIMIT $7""",
        part.tenant_id,
        part.plan_id,
        sorted(part.folder_ids),
        part.run_number,
        *part.after,
        part.limit,
    )
