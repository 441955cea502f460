"""What retention dropped of a plan, and which run sees to it that its machine sends it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection
from services.ingest.store.commits import Closed
from services.ingest.store.plans import CommitPlace
from services.ingest.store.sessions import LONG_SECONDS


class Unsettled(NamedTuple):
    """A reduction whose versions no run has closed yet; told_run: whose agent got the list."""

    reduction_id: UUID
    is_withdrawn: bool
    told_run: int | None


async def list_unsettled(conn: Connection, tenant_id: UUID, plan_id: UUID) -> list[Unsettled]:
    """Returns the reductions that no run has settled, but those withdrawn before any agent knew."""
    rows = await conn.fetch(
        """
        SELECT reduction_id, state = 'withdrawn', told_run FROM catalogue.reductions
        WHERE tenant_id = $1 AND plan_id = $2 AND settled_run IS NULL
        AND (state <> 'withdrawn' OR told_run IS NOT NULL) ORDER BY reduction_id
        """,
        tenant_id,
        plan_id,
    )
    return [Unsettled(*row) for row in rows]


async def put_reported(conn: Connection, tenant_id: UUID, plan_id: UUID) -> None:
    """Writes down that the agent of the open run is being given the list as it is now."""
    await conn.execute(
        """
        UPDATE catalogue.reductions d SET told_run = r.number FROM runs r
        WHERE d.tenant_id = $1 AND d.plan_id = $2 AND d.settled_run IS NULL
        AND d.state <> 'withdrawn' AND r.tenant_id = $1 AND r.plan_id = $2 AND r.state = 'open'
        """,
        tenant_id,
        plan_id,
    )


async def close_dropped(
    conn: Connection, place: CommitPlace, reduction_ids: Sequence[UUID]
) -> Closed:
    """Closes what was dropped and is still current, and settles these reductions by the run."""
    row = await conn.fetchrow(
        """
        WITH closed AS (
        UPDATE catalogue.versions v SET last_run = $2 - 1 FROM catalogue.dropped d
        WHERE d.tenant_id = $1 AND d.reduction_id = ANY($3::uuid[]) AND v.tenant_id = $1
        AND v.folder_id = d.folder_id AND v.last_run IS NULL AND v.first_run <= d.begun_by
        RETURNING v.kind, v.size
            ) SELECT count(*), coalesce(sum(size), 0)::bigint FROM closed WHERE kind = 'f'
        """,
        place.tenant_id,
        place.number,
        reduction_ids,
        timeout=LONG_SECONDS,
    )
    await conn.execute(
        """
        UPDATE catalogue.reductions SET settled_run = $2
        WHERE tenant_id = $1 AND reduction_id = ANY($3::uuid[])
        """,
        place.tenant_id,
        place.number,
        reduction_ids,
    )
    assert row is not None
    return Closed(row[0], row[1], [])
