"""Reductions: dropped at once, taken back for some days, then gone (docs/decisions/0046)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import catalogue, clock, database, logs, outbox
from libs.shared.catalogue import volumes
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.events import ReductionApplied
from services.retention import rules, store
from services.retention.actions import collection, expiry
from services.retention.actions.resources import Resources
from services.retention.rules.reductions import Reduction


async def withdraw(conn: Connection, tenant_id: UUID, reduction_id: UUID) -> None:
    """Takes a reduction back, unless it was collected: whichever comes first wins, wholly."""
    await store.reductions.put_withdrawal(conn, tenant_id, reduction_id)
    reduction = await store.reductions.lock(conn, tenant_id, reduction_id)
    if reduction is None or reduction.state not in ("ordered", "applied"):
        return
    if reduction.state == "applied":
        await store.reductions.lock_plan(conn, tenant_id, reduction.plan_id)
        await store.reductions.put_reach_state(conn, reduction, "withdrawn")
        await store.reductions.remove_dropped(conn, reduction)
    await store.reductions.put_state(conn, reduction, "withdrawn", reduction.undo_until)


async def carry_out(resources: Resources, reduction: Reduction) -> None:
    """Brings a reduction that was ordered or withdrawn into effect, and the volume with it."""
    tenant_id = reduction.tenant_id
    async with database.transaction(resources.pool) as conn:
        known = await store.reductions.lock(conn, tenant_id, reduction.reduction_id)
        assert known is not None
        if known.state == "ordered":
            await _apply(conn, known, clock.now() + rules.reductions.UNDO)
            known = await store.reductions.lock(conn, tenant_id, reduction.reduction_id)
            assert known is not None
    crashpoint("retention.after_drop")
    freed_bytes = await _count(resources, tenant_id)
    async with database.transaction(resources.pool) as conn:
        if known.state != "collected" and await store.reductions.put_counted(conn, known):
            await _say(conn, known, max(freed_bytes, 0))


async def _apply(conn: Connection, reduction: Reduction, undo_until: datetime) -> None:
    """Drops what was ordered, as of the plan's newest restore point: rows stay as they are."""
    where = reduction.tenant_id, reduction.plan_id
    newest = await store.reductions.lock_plan(conn, *where)
    oldest_kept = None
    if reduction.before is not None:
        oldest_kept = await catalogue.find_oldest_kept(conn, *where, reduction.before)
    reach = rules.reductions.find_reach(reduction.what, newest, oldest_kept)
    folder_id = await catalogue.find_folder(conn, *where, reduction.folder or b"")
    await store.reductions.add_reach(conn, reduction, reach)
    await store.reductions.drop_below(conn, reduction, folder_id, reach)
    await store.reductions.put_state(conn, reduction, "applied", undo_until)


async def _count(resources: Resources, tenant_id: UUID) -> int:
    """Makes the stored volume what is needed now; returns how much less that is, in bytes."""
    now = clock.now()
    marked = await collection.packs.mark_tenant(resources, tenant_id, now)
    steps = [
        await collection.packs.resurrect(resources, marked),
        await collection.packs.condemn(resources, marked, now, only_dropped=True),
        await collection.packs.discount(resources, marked),
    ]
    return sum(step.freed_bytes for step in steps)


async def _say(conn: Connection, reduction: Reduction, freed_bytes: int) -> None:
    assert reduction.state != "ordered"
    event = ReductionApplied(
        tenant_id=reduction.tenant_id,
        reduction_id=reduction.reduction_id,
        state=reduction.state,
        freed_bytes=freed_bytes if reduction.state == "applied" else 0,
        undo_until=reduction.undo_until,
    )
    await outbox.add(conn, event)
    logs.get().info(
        f"reduction.{reduction.state}",
        tenant_id=str(reduction.tenant_id),
        reduction_id=str(reduction.reduction_id),
        freed_bytes=freed_bytes,
    )


async def collect(resources: Resources, tenant_id: UUID, now: datetime) -> int:
    """Ends what can be taken back no longer; returns how many reductions.

    `now` was checked by `check_time`. What then no version needs goes with the next collection.
    """
    async with database.acquire(resources.pool) as conn:
        due = await store.reductions.list_due(conn, tenant_id, now)
    for one in due:
        async with database.transaction(resources.pool) as conn:
            reduction = await store.reductions.lock(conn, tenant_id, one.reduction_id)
            if reduction is None or reduction.state == "withdrawn":
                continue
            if reduction.state == "applied":
                await store.reductions.put_reach_state(conn, reduction, "collected")
                await store.reductions.put_state(conn, reduction, "collected", reduction.undo_until)
                reduction = await store.reductions.lock(conn, tenant_id, one.reduction_id)
                assert reduction is not None
                await store.reductions.put_counted(conn, reduction)
                await _say(conn, reduction, 0)
        crashpoint("retention.after_collected")
        await _purge(resources, reduction, now)
    if due:
        async with database.transaction(resources.pool) as conn:
            await store.sessions.allow_long_statements(conn)
            await store.reductions.forget_dropped(conn, tenant_id)
    return len(due)


async def _purge(resources: Resources, reduction: Reduction, now: datetime) -> None:
    """Forgets a collected plan, or what was older, as expiry would: points first, then versions.

    A folder's versions stay, without their contents: they prove the restore points that show the
    rest, and expire with them.
    """
    tenant_id, plan_id = reduction.tenant_id, reduction.plan_id
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        await store.reductions.lock_plan(conn, tenant_id, plan_id)
        reach = await store.reductions.find_settled(conn, reduction)
        oldest_kept = reach.settled_run or reach.hides_through + 1
        removed: list[int] = []
        if reduction.what != "folder":
            removed = await store.reductions.remove_points_through(
                conn, tenant_id, plan_id, reach.hides_through
            )
        emptied = (0, 0)
        current_bytes = 0
        if reduction.what == "plan" and reach.settled_run is None:
            *counts, current_bytes = await store.reductions.empty_plan(conn, tenant_id, plan_id)
            emptied = counts[0], counts[1]
        if removed:
            await expiry.tell(conn, tenant_id, plan_id, oldest_kept, removed, emptied, now)
        await volumes.change(conn, tenant_id, 0, -current_bytes)
    crashpoint("retention.after_points_dropped")
    if reduction.what != "folder":
        await expiry.remove_versions(resources, tenant_id, plan_id, oldest_kept, now)
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        if reduction.what != "folder":
            await store.expiry.removing.remove_digests(conn, tenant_id, plan_id)
            await store.reductions.remove_dropped(conn, reduction)
        await store.reductions.put_purged(conn, reduction)
