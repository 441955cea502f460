"""Which folders a plan's restore points come without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.reductions import State

_MOST = 100


@dataclass(frozen=True)
class Dropped:
    """A folder that somebody dropped: restore points up to `through_run` come without it.

    undo_until: None until that is known.
    """

    folder: bytes
    through_run: int
    ordered_by: str
    ordered_at: datetime
    state: State
    undo_until: datetime | None


async def list_dropped(
    conn: Connection, tenant_id: UUID, plan_id: UUID, run: int = 0
) -> list[Dropped]:
    """Returns what a restore point comes without, newest first; without one, any of the plan."""
    rows = await conn.fetch(
        """
        SELECT r.folder, d.begun_by, r.ordered_by, r.ordered_at, r.state, r.undo_until
        FROM reductions r JOIN catalogue.reductions c USING (tenant_id, reduction_id)
        CROSS JOIN LATERAL (SELECT x.begun_by FROM catalogue.dropped x
            WHERE x.tenant_id = $1 AND x.reduction_id = r.reduction_id LIMIT 1) d
        WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.what = 'folder'
            AND c.state <> 'withdrawn' AND d.begun_by >= $3
        ORDER BY r.ordered_at DESC, r.reduction_id LIMIT $4
        """,
        tenant_id,
        plan_id,
        run,
        _MOST,
    )
    return [Dropped(*row) for row in rows]
