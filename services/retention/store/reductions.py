"""What clients dropped: their orders here, and what the catalogue says of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared import database
from libs.shared.catalogue import digests
from libs.shared.database import Connection
from services.retention.rules.reductions import Reach, Reduction
from services.retention.store.sessions import LONG_SECONDS

_REDUCTION = """tenant_id, reduction_id, plan_id, what, folder, before, state, undo_until"""


async def put(conn: Connection, order: Reduction, ordered_by: str, ordered_at: datetime) -> bool:
    """Writes an order down as withdrawn, if that was heard before; False if it is known."""
    status = await conn.execute(
        """
        INSERT INTO reductions (tenant_id, reduction_id, plan_id, what, folder, before, ordered_by,
            ordered_at, state) SELECT $1, $2, $3, $4, $5, $6, $7, $8,
            CASE WHEN EXISTS (SELECT FROM reduction_withdrawals
                WHERE tenant_id = $1 AND reduction_id = $2) THEN 'withdrawn' ELSE 'ordered' END
        ON CONFLICT DO NOTHING
        """,
        order.tenant_id,
        order.reduction_id,
        order.plan_id,
        order.what,
        order.folder,
        order.before,
        ordered_by,
        ordered_at,
    )
    return database.changed(status) == 1


async def put_withdrawal(conn: Connection, tenant_id: UUID, reduction_id: UUID) -> None:
    """Writes down that a reduction was taken back, whether or not it is known yet."""
    await conn.execute(
        """
        INSERT INTO reduction_withdrawals VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        reduction_id,
    )


async def lock(conn: Connection, tenant_id: UUID, reduction_id: UUID) -> Reduction | None:
    """Returns a reduction, and makes all that changes it wait until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_REDUCTION} FROM reductions WHERE tenant_id = $1 AND reduction_id = $2 FOR UPDATE
        """,
        tenant_id,
        reduction_id,
    )
    return Reduction(*row) if row else None


async def list_uncounted(conn: Connection) -> list[Reduction]:
    """Returns the reductions whose state the volume doesn't know of yet, the first ordered first.

    Not orders of clients who are not known to be alive: theirs wait.
    """
    rows = await conn.fetch(
        f"""
        SELECT {_REDUCTION} FROM reductions r WHERE NOT counted AND (state <> 'ordered'
            OR EXISTS (SELECT FROM tenants t WHERE t.tenant_id = r.tenant_id
                AND t.subscription IN ('active', 'ending')))
        ORDER BY ordered_at, reduction_id
        """
    )
    return [Reduction(*row) for row in rows]


async def put_state(
    conn: Connection, reduction: Reduction, state: str, undo_until: datetime | None
) -> None:
    """Moves a reduction that is locked to its next state, of which the volume must learn."""
    await conn.execute(
        """
        UPDATE reductions SET state = $3, undo_until = $4, counted = false
        WHERE tenant_id = $1 AND reduction_id = $2
        """,
        reduction.tenant_id,
        reduction.reduction_id,
        state,
        undo_until,
    )


async def put_counted(conn: Connection, reduction: Reduction) -> bool:
    """Writes down that the volume knows of this state; False where it is another by now."""
    status = await conn.execute(
        """
        UPDATE reductions SET counted = true
        WHERE tenant_id = $1 AND reduction_id = $2 AND state = $3 AND NOT counted
        """,
        reduction.tenant_id,
        reduction.reduction_id,
        reduction.state,
    )
    return database.changed(status) == 1


async def list_due(conn: Connection, tenant_id: UUID, now: datetime) -> list[Reduction]:
    """Returns what can be taken back no longer, and what of it is still to go.

    But nothing of a plan whose expiry is held.
    """
    rows = await conn.fetch(
        f"""
        SELECT {_REDUCTION} FROM reductions r WHERE tenant_id = $1 AND NOT purged
        AND state IN ('applied', 'collected') AND undo_until <= $2 AND counted
        AND NOT EXISTS (SELECT FROM expiry_holds h WHERE h.tenant_id = $1
            AND h.plan_id = r.plan_id AND h.cleared_at IS NULL) ORDER BY ordered_at, reduction_id
        """,
        tenant_id,
        now,
    )
    return [Reduction(*row) for row in rows]


async def put_purged(conn: Connection, reduction: Reduction) -> None:
    """Writes down that nothing of a reduction is left to go."""
    await conn.execute(
        """
        UPDATE reductions SET purged = true WHERE tenant_id = $1 AND reduction_id = $2
        """,
        reduction.tenant_id,
        reduction.reduction_id,
    )


# --- in the catalogue ------------------------------------------------------------------------


async def lock_plan(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int | None:
    """Returns a plan's newest restore point; makes starts and commits of its runs wait."""
    newest: int | None = await conn.fetchval(
        """
        SELECT last_run FROM catalogue.plans WHERE tenant_id = $1 AND plan_id = $2 FOR UPDATE
        """,
        tenant_id,
        plan_id,
    )
    return newest


async def add_reach(conn: Connection, reduction: Reduction, reach: Reach) -> None:
    """Makes a reduction known to whoever reads the catalogue."""
    await conn.execute(
        """
        INSERT INTO catalogue.reductions (tenant_id, reduction_id, plan_id, state, hides_through,
            settled_run) VALUES ($1, $2, $3, 'applied', $4, $5)
        """,
        reduction.tenant_id,
        reduction.reduction_id,
        reduction.plan_id,
        reach.hides_through,
        0 if reach.is_settled else None,
    )


async def drop_below(
    conn: Connection, reduction: Reduction, folder_id: int | None, reach: Reach
) -> None:
    """Drops the versions in a folder of the plan and all below it."""
    await conn.execute(
        """
        WITH RECURSIVE below (folder_id) AS (
            SELECT $4::bigint WHERE $4 IS NOT NULL
            UNION ALL
            SELECT f.folder_id FROM below JOIN catalogue.folders f ON f.tenant_id = $1
            AND f.plan_id = $3 AND f.parent_id = below.folder_id
        ) INSERT INTO catalogue.dropped (tenant_id, folder_id, reduction_id, begun_by, ended_by)
        SELECT $1, folder_id, $2, $5, $6 FROM below
        """,
        reduction.tenant_id,
        reduction.reduction_id,
        reduction.plan_id,
        folder_id,
        reach.begun_by,
        reach.ended_by,
    )


class Settled(NamedTuple):
    """Through which restore point a reduction hides them, and which run closed what it dropped."""

    hides_through: int
    settled_run: int | None


async def find_settled(conn: Connection, reduction: Reduction) -> Settled:
    """Returns how far the catalogue is with a reduction in effect."""
    row = await conn.fetchrow(
        """
        SELECT hides_through, settled_run FROM catalogue.reductions
        WHERE tenant_id = $1 AND reduction_id = $2
        """,
        reduction.tenant_id,
        reduction.reduction_id,
    )
    assert row is not None
    return Settled(*row)


async def put_reach_state(conn: Connection, reduction: Reduction, state: str) -> None:
    """Tells whoever reads the catalogue of a reduction's next state."""
    await conn.execute(
        """
        UPDATE catalogue.reductions SET state = $3 WHERE tenant_id = $1 AND reduction_id = $2
        """,
        reduction.tenant_id,
        reduction.reduction_id,
        state,
    )


async def remove_dropped(conn: Connection, reduction: Reduction) -> None:
    """Drops nothing more by a reduction: its versions count again, or are gone."""
    await conn.execute(
        """
        DELETE FROM catalogue.dropped WHERE tenant_id = $1 AND reduction_id = $2
        """,
        reduction.tenant_id,
        reduction.reduction_id,
    )


async def forget_dropped(conn: Connection, tenant_id: UUID) -> None:
    """Forgets of collected reductions where they dropped something that has expired since."""
    await conn.execute(
        """
        DELETE FROM catalogue.dropped x USING catalogue.reductions r
        WHERE x.tenant_id = $1 AND r.tenant_id = $1 AND r.reduction_id = x.reduction_id
        AND r.state = 'collected' AND NOT EXISTS (SELECT FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.folder_id = x.folder_id
            AND (v.first_run <= x.begun_by OR v.last_run <= x.ended_by))
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )


async def remove_points_through(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int
) -> list[int]:
    """Deletes a plan's restore points up to one; returns their numbers."""
    rows = await conn.fetch(
        """
        DELETE FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2 AND number <= $3
        RETURNING number
        """,
        tenant_id,
        plan_id,
        number,
    )
    return sorted(row[0] for row in rows)


async def empty_plan(conn: Connection, tenant_id: UUID, plan_id: UUID) -> tuple[int, int, int]:
    """Deletes all versions of a plan: as if it had never run.

    Returns (how many, their bytes, the bytes of the current files among them).
    """
    row = await conn.fetchrow(
        """
        WITH gone AS (DELETE FROM catalogue.versions WHERE tenant_id = $1 AND plan_id = $2
            RETURNING size, kind = 'f' AND last_run IS NULL AS is_current)
        SELECT count(*), coalesce(sum(size), 0)::bigint,
            coalesce(sum(size) FILTER (WHERE is_current), 0)::bigint FROM gone
        """,
        tenant_id,
        plan_id,
        timeout=LONG_SECONDS,
    )
    await digests.forget(conn, tenant_id, plan_id, LONG_SECONDS)
    await conn.execute(
        """
        UPDATE catalogue.plans SET last_run = NULL WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    await conn.execute(
        """
        UPDATE catalogue.reductions SET settled_run = 0
        WHERE tenant_id = $1 AND plan_id = $2 AND settled_run IS NULL
        """,
        tenant_id,
        plan_id,
    )
    assert row is not None
    return row[0], row[1], row[2]


async def list_collected(conn: Connection, tenant_id: UUID) -> dict[UUID, int]:
    """Returns through which restore point each plan's were dropped for good."""
    rows = await conn.fetch(
        """
        SELECT plan_id, max(hides_through) FROM catalogue.reductions
        WHERE tenant_id = $1 AND state = 'collected' GROUP BY plan_id
        """,
        tenant_id,
    )
    return {row[0]: row[1] for row in rows}
