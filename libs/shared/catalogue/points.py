"""Restore points in time: around one of them, of a span of days."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from libs.shared.catalogue.rows import RestorePoint, shown

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link

SHOWN_MAX = 2_000
"""Of so many restore points at most a span of days tells."""

_SHOWN = shown("r")
_POINT = f"""
    SELECT plan_id, number, run_id, committed_at, files_total, bytes_protected, sealed
    FROM catalogue.runs r WHERE r.tenant_id = $1 AND r.plan_id = $2 AND {_SHOWN}
    """  # noqa: S608 - columns and conditions of our own


class Around(NamedTuple):
    """What lies around a restore point: the first and the newest, the one before and after."""

    first: RestorePoint
    newest: RestorePoint
    previous: RestorePoint | None
    following: RestorePoint | None


async def find_around(conn: Link, tenant_id: UUID, plan_id: UUID, number: int) -> Around | None:
    """Returns what lies around a run's number; None for a plan without restore points."""
    rows = [
        await conn.fetchrow(f"{_POINT}{step} LIMIT 1", tenant_id, plan_id, *values)
        for step, values in (
            (" ORDER BY number", ()),
            (" ORDER BY number DESC", ()),
            (" AND number < $3 ORDER BY number DESC", (number,)),
            (" AND number > $3 ORDER BY number", (number,)),
        )
    ]
    first, newest, previous, following = [RestorePoint(**row) if row else None for row in rows]
    if first is None or newest is None:
        return None
    return Around(first, newest, previous, following)


async def list_between(
    conn: Link, tenant_id: UUID, plan_id: UUID, since: datetime, until: datetime
) -> list[RestorePoint]:
    """Returns the restore points from a moment up to before another, newest first."""
    rows = await conn.fetch(
        f"{_POINT} AND committed_at >= $3 AND committed_at < $4 ORDER BY number DESC LIMIT $5",
        tenant_id,
        plan_id,
        since,
        until,
        SHOWN_MAX,
    )
    return [RestorePoint(**row) for row in rows]
