"""What the catalogue remembers beyond one restore point: versions of a path, deleted entries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from libs.shared.catalogue.reading import find_folder
from libs.shared.catalogue.rows import (
    LISTED_COLUMNS,
    ROW_FIELDS,
    EntryRow,
    kept,
    shown,
    split_path,
)

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link

NEWEST = 2**31 - 1
"""More than any run's number: where a list that goes backwards begins."""

_KEPT = kept("v")


def last_point(plan: str = "$2", *, only: str = "true", order: str = "DESC") -> str:
    """SQL for the last restore point that sees the version `v`: runs between may have failed.

    plan: its id. only: a condition on the version, asked first. order: ASC for the first one.
    """
    return (
        "SELECT r.number, r.committed_at FROM catalogue.runs r"  # noqa: S608 - words of our own
        f" WHERE {only} AND r.tenant_id = $1 AND r.plan_id = {plan}"
        f" AND r.number BETWEEN v.first_run AND coalesce(v.last_run, {NEWEST})"
        f" AND {shown('r')} ORDER BY r.number {order} LIMIT 1"
    )


_LAST_POINT = last_point()
_FIRST_POINT = last_point(order="ASC")


class Version(NamedTuple):
    """One version of a path, and the first and the last restore point that have it.

    points: how many have it.
    removed_at: the first restore point without the path, where no newer version replaced this
    one; None as well while the path is there.
    """

    entry: EntryRow
    first_point: int
    first_seen_at: datetime
    last_point: int
    last_seen_at: datetime
    points: int
    removed_at: datetime | None


class FolderEntry(NamedTuple):
    """An entry of a folder; if it was deleted, the last restore point that has it."""

    entry: EntryRow
    last_point: int | None
    last_seen_at: datetime | None


async def list_versions(
    conn: Link,
    tenant_id: UUID,
    plan_id: UUID,
    path: bytes,
    before: int = NEWEST,
    limit: int = 1000,
) -> list[Version]:
    """Returns the versions of a path, newest first, of those that began before a run's number.

    Empty for the root, of which no run keeps anything. Two versions that follow each other are
    a gap apart where the older one has `removed_at`.
    """
    components = split_path(path)
    if not components:
        return []
    folder_id = await find_folder(conn, tenant_id, plan_id, b"/".join(components[:-1]))
    if folder_id is None:
        return []
    rows = await conn.fetch(
        f"""
        SELECT {LISTED_COLUMNS}, b.number, b.committed_at, e.number, e.committed_at,
        (SELECT count(*) FROM catalogue.runs r WHERE r.tenant_id = $1 AND r.plan_id = $2
            AND r.number BETWEEN b.number AND e.number AND {shown("r")}),
        CASE WHEN v.last_run IS NOT NULL AND NOT coalesce((SELECT true
            FROM catalogue.versions n WHERE n.tenant_id = $1 AND n.folder_id = $3
            AND n.name = $4 AND n.first_run = v.last_run + 1 LIMIT 1), false)
        THEN (SELECT r.committed_at FROM catalogue.runs r WHERE r.tenant_id = $1
            AND r.plan_id = $2 AND r.number > v.last_run ORDER BY r.number LIMIT 1) END
        FROM catalogue.versions v CROSS JOIN LATERAL ({_FIRST_POINT}) b
        CROSS JOIN LATERAL ({_LAST_POINT}) e
        WHERE v.tenant_id = $1 AND v.folder_id = $3 AND v.name = $4 AND v.first_run < $5
        AND {_KEPT}
        ORDER BY v.first_run DESC LIMIT $6
        """,  # noqa: S608 - columns and conditions of our own
        tenant_id,
        plan_id,
        folder_id,
        components[-1],
        before,
        limit,
    )
    return [Version(EntryRow(*row[:ROW_FIELDS]), *row[ROW_FIELDS:]) for row in rows]
