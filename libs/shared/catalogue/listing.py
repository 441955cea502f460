"""One page of what a folder holds, in the order that its reader chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from uuid import UUID

from libs.shared.catalogue.history import FolderEntry, last_point
from libs.shared.catalogue.reading import find_folder
from libs.shared.catalogue.rows import LISTED_COLUMNS, ROW_FIELDS, EntryRow, join_path, kept

if TYPE_CHECKING:
    from asyncpg import Record

    from libs.shared.catalogue.rows import Link

Sort: TypeAlias = Literal["name", "size", "changed"]

SORTED_MAX = 20_000
"""Of how many versions a folder is put in order; a larger one comes in the order of its key."""

_PASSED_MAX = 24
_KEPT = kept("v")
_LAST_POINT = last_point("$4")
# Not in the condition of the join: that is asked once all points of a version were put in order.
_LAST_POINT_OF_DELETED = last_point("$4", only="v.last_run < $3")
_SEEN = "v.first_run <= $3 AND (v.last_run IS NULL OR v.last_run >= $3)"
# A function called for each name would cost more than the rest: ASCII is told by its escapes.
_NATURAL = (
    "(CASE WHEN strpos(encode(v.name, 'escape'), '\\') = 0 THEN encode(v.name, 'escape')"
    " ELSE catalogue.ordered_name(v.name) END) COLLATE catalogue.natural_order"
)
_KEYS: dict[Sort, str] = {"name": "0::bigint", "size": "v.size", "changed": "v.mtime_ns"}


@dataclass(frozen=True, slots=True)
class FolderOrder:
    """In which order, and behind which name a page begins (None: with the first)."""

    by: Sort = "name"
    descending: bool = False
    after: bytes | None = None


class FolderPage(NamedTuple):
    """Some of what a folder holds, and the name behind which the next page begins.

    total: how many entries it has; None for a folder of so many that they come by the bytes of
    their names, folders among files.
    """

    entries: list[FolderEntry]
    onward: bytes | None
    total: int | None


async def list_page(
    conn: Link,
    place: tuple[UUID, UUID, int, bytes],
    order: FolderOrder,
    limit: int,
    *,
    deleted: bool = False,
    sorted_max: int = SORTED_MAX,
) -> FolderPage:
    """Returns a page of what a run saw in a folder, folders first.

    place: tenant, plan, run, path. deleted: with what was there up to the run, as it was last.
    Holds a page, however large the folder is. Empty as well where the run has no such folder.
    """
    tenant_id, plan_id, number, path = place
    folder_id = await find_folder(conn, tenant_id, plan_id, path)
    if folder_id is None:
        return FolderPage([], None, 0)
    where = tenant_id, folder_id, number
    more = plan_id, order.after, limit + 1
    if not deleted:
        # Counted while it is put in order: rows that many runs brought lie far apart.
        rows = await conn.fetch(_in_order(order, sorted_max, deleted=False), *where, *more)
        if rows:
            return _page(rows, limit, rows[0]["total"])
    held = await conn.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.folder_id = $2
                AND {"v.first_run <= $3" if deleted else _SEEN} LIMIT {sorted_max + 1}) n
        """,  # noqa: S608 - columns and conditions of our own
        *where,
    )
    if held > sorted_max:
        rows = await conn.fetch(_in_order_of_key(order, deleted=deleted), *where, *more)
        return _page(rows, limit, None)
    if not deleted:
        return FolderPage([], None, 0)
    rows = await conn.fetch(_in_order(order, sorted_max, deleted=True), *where, *more)
    return _page(rows, limit, rows[0]["total"] if rows else 0)


def _page(rows: list[Record], limit: int, total: int | None) -> FolderPage:
    entries = [
        FolderEntry(EntryRow(*row[:ROW_FIELDS]), *row[ROW_FIELDS : ROW_FIELDS + 2]) for row in rows
    ]
    onward = entries[limit - 1].entry.name if len(entries) > limit else None
    return FolderPage(entries[:limit], onward, total)


def _there(columns: str, *, deleted: bool) -> str:
    """SQL for what is in a folder."""
    if not deleted:
        return f"""
            SELECT {columns} FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.folder_id = $2 AND {_SEEN} AND {_KEPT}
            """  # noqa: S608 - columns and conditions of our own
    return f"""
        SELECT {columns} FROM (
            SELECT DISTINCT ON (v.name) v.name, v.kind, v.size, v.mtime_ns, v.first_run, v.last_run
            FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.folder_id = $2 AND v.first_run <= $3 AND {_KEPT}
            ORDER BY v.name, v.first_run DESC) v
        WHERE v.last_run IS NULL OR v.last_run >= $3 OR EXISTS ({_LAST_POINT})
        """  # noqa: S608 - columns and conditions of our own


def _in_order(order: FolderOrder, sorted_max: int, *, deleted: bool) -> str:
    """SQL for a page with the number of all entries; nothing where they are more than so many."""
    than, way = ("<", "DESC") if order.descending else (">", "ASC")
    columns = f"v.name, v.first_run, v.kind <> 'd' AS is_file, {_KEYS[order.by]} AS key"
    there = _there(f"{columns}, {_NATURAL} AS shown", deleted=deleted)
    there += f"LIMIT {sorted_max + 1}"
    return _whole(
        f"""
        here AS MATERIALIZED ({there}), mark AS (SELECT * FROM here WHERE name = $5),
        page AS (
            SELECT h.name, h.first_run, (SELECT count(*) FROM here) AS total,
                row_number() OVER () AS place
            FROM (
                SELECT h.* FROM here h LEFT JOIN mark m ON true
                WHERE (SELECT count(*) FROM here) <= {sorted_max} AND (
                    m.name IS NULL OR h.is_file > m.is_file OR (h.is_file = m.is_file
                    AND (h.key, h.shown, h.name) {than} (m.key, m.shown, m.name)))
                ORDER BY h.is_file, h.key {way}, h.shown {way}, h.name {way} LIMIT $6) h)
        """  # noqa: S608 - columns and conditions of our own
    )


def _in_order_of_key(order: FolderOrder, *, deleted: bool) -> str:
    there = _there("v.name, v.first_run", deleted=deleted)
    return _whole(
        f"""
        page AS (
            SELECT h.*, 0 AS total, row_number() OVER () AS place FROM (
                SELECT * FROM ({there}) h WHERE $5::bytea IS NULL OR h.name > $5
                ORDER BY h.name LIMIT $6) h)
        """  # noqa: S608 - columns and conditions of our own
    )


def _whole(steps: str) -> str:
    return f"""
        WITH {steps}
        SELECT {LISTED_COLUMNS}, e.number, e.committed_at, p.total
        FROM page p
        CROSS JOIN LATERAL (
            SELECT * FROM catalogue.versions w WHERE w.tenant_id = $1 AND w.folder_id = $2
                AND w.name = p.name AND w.first_run = p.first_run LIMIT 1) v
        LEFT JOIN LATERAL ({_LAST_POINT_OF_DELETED}) e ON true
        ORDER BY p.place
        """  # noqa: S608 - columns and conditions of our own


async def find_opening(
    conn: Link, tenant_id: UUID, plan_id: UUID, number: int, path: bytes = b""
) -> bytes:
    """Returns the deepest folder at or below a path before which a run has nothing to choose."""
    folder_id = await find_folder(conn, tenant_id, plan_id, path)
    if folder_id is None:
        return path
    passed = await pass_through(conn, (tenant_id, plan_id, number), [folder_id])
    for name in passed.get(folder_id, []):
        path = join_path(path, name)
    return path


async def pass_through(
    conn: Link, point: tuple[UUID, UUID, int], folder_ids: list[int]
) -> dict[int, list[bytes]]:
    """Returns the folders that one walks through where each has just one folder in it, by id.

    point: tenant, plan, run.
    """
    tenant_id, plan_id, number = point
    at = {folder_id: folder_id for folder_id in folder_ids}
    passed: dict[int, list[bytes]] = {}
    for _ in range(_PASSED_MAX):
        if not at:
            break
        rows = await conn.fetch(
            # LIMIT keeps these look-ups by key.
            f"""
            SELECT k.id, o.only, f.folder_id FROM unnest($4::bigint[]) AS k (id)
            CROSS JOIN LATERAL (
                SELECT (array_agg(v.name))[1] AS only, count(*) AS n,
                    bool_and(v.kind = 'd') AS is_folder
                FROM (
                    SELECT v.name, v.kind FROM catalogue.versions v
                    WHERE v.tenant_id = $1 AND v.folder_id = k.id AND {_SEEN} AND {_KEPT}
                    LIMIT 2) v) o
            LEFT JOIN LATERAL (
                SELECT folder_id FROM catalogue.folders WHERE tenant_id = $1 AND plan_id = $2
                    AND parent_id = k.id AND name = o.only LIMIT 1) f ON true
            WHERE o.n = 1 AND o.is_folder
            """,  # noqa: S608 - columns and conditions of our own
            tenant_id,
            plan_id,
            number,
            list(at),
        )
        beyond = {}
        for folder_id, only, child_id in rows:
            begin = at[folder_id]
            passed.setdefault(begin, []).append(only)
            if child_id is not None:  # in an empty folder nothing ever lay
                beyond[child_id] = begin
        at = beyond
    return passed
