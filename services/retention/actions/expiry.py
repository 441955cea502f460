"""Expiry: what was superseded long enough ago is forgotten, with the restore points it was in."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from libs.shared import catalogue, clock, database, logs, outbox
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.errors import NotFound
from libs.shared.events import (
    ExpiryCleared,
    ExpiryDecided,
    ExpiryHeld,
    RunJudged,
    VersionsExpired,
)
from services.retention import rules, store
from services.retention.actions.resources import Resources

SLICE = 20_000


async def judge_run(
    conn: Connection, tenant_id: UUID, plan_id: UUID, window: rules.expiry.Window, now: datetime
) -> None:
    """Looks, right after a run, whether much that was settled is gone since the last one judged.

    By what the catalogue says: the agent's own figures could hide what it did. A run that
    superseded nothing costs two look-ups.
    """
    judged = await store.expiry.judging.lock_judged(conn, tenant_id, plan_id)
    if judged is not None:
        points = await store.expiry.judging.list_points(conn, tenant_id, plan_id, judged.number)
        await _judge(conn, tenant_id, plan_id, judged, points, window, now, since=judged.number)


async def judge_window(
    conn: Connection, tenant_id: UUID, plan_id: UUID, window: rules.expiry.Window, now: datetime
) -> int | None:
    """Judges a plan over the whole window, before anything of it expires.

    Returns the oldest restore point to be kept; None where nothing may expire.
    """
    judged = await store.expiry.judging.lock_judged(conn, tenant_id, plan_id)
    if judged is None:
        return None
    oldest_kept = await catalogue.find_oldest_kept(conn, tenant_id, plan_id, window.cutoff)
    points = await store.expiry.judging.list_points(conn, tenant_id, plan_id, 0)
    await _judge(
        conn,
        tenant_id,
        plan_id,
        judged,
        points,
        window,
        now,
        since=judged.kept_from,
        oldest_kept=oldest_kept or 0,
    )
    if await store.expiry.holds.is_held(conn, tenant_id, plan_id) or oldest_kept is None:
        return None
    await store.expiry.judging.put_kept_from(conn, tenant_id, plan_id, oldest_kept)
    return oldest_kept


async def _judge(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    judged: store.expiry.judging.Judged,
    points: list[rules.expiry.KeptPoint],
    window: rules.expiry.Window,
    now: datetime,
    *,
    since: int,
    oldest_kept: int = 0,
) -> None:
    """Holds the plan's expiry where what is gone of these restore points is not usual.

    What a hold was told of, open or cleared, is not told again: it is the state from which
    further losses are counted.
    """
    if not points:
        return
    newest = points[-1].number
    await store.expiry.judging.put_judged(conn, tenant_id, plan_id, newest)
    if not await store.expiry.judging.is_superseded_since(
        conn, tenant_id, plan_id, points[0].number
    ):
        return
    what = tenant_id, plan_id, points[0].number, judged.first_run, window.settled_before
    closed = await store.expiry.judging.list_superseded(conn, *what)
    if rules.expiry.may_be_unusual(points, closed):
        loss = rules.expiry.find_loss(
            points,
            await store.expiry.judging.list_gone(conn, *what),
            window,
            since=since,
            oldest_kept=oldest_kept,
            accepted=await store.expiry.holds.find_last_hold(conn, tenant_id, plan_id),
        )
        if loss is not None:
            await store.expiry.holds.add_hold(conn, tenant_id, plan_id, newest, loss, now)
            held = ExpiryHeld(
                tenant_id=tenant_id,
                plan_id=plan_id,
                number=newest,
                since=loss.since,
                reason=loss.reason,
                held_at=now,
            )
            await outbox.add(conn, held)
            logs.get().warning(
                "expiry.held",
                tenant_id=str(tenant_id),
                plan_id=str(plan_id),
                run=newest,
                since=loss.since,
                why=loss.reason.code,
                amount=loss.reason.amount,
                limit=loss.reason.limit,
            )


async def hold_unusual(conn: Connection, event: RunJudged) -> None:
    """Holds a plan's expiry where reporting says that a run is unusual (docs/decisions/0052)."""
    if not event.verdicts:
        return
    what = event.tenant_id, event.plan_id
    await store.expiry.judging.lock_judged(
        conn, *what
    )  # nothing of the plan expires at this moment
    loss = rules.expiry.Loss(event.number - 1, event.verdicts[0])
    await store.expiry.holds.add_hold(conn, *what, event.number, loss, event.judged_at, "reporting")
    logs.get().warning(
        "expiry.held",
        tenant_id=str(event.tenant_id),
        plan_id=str(event.plan_id),
        run=event.number,
        since=loss.since,
        why=loss.reason.code,
        amount=loss.reason.amount,
        limit=loss.reason.limit,
    )


async def follow_decision(conn: Connection, event: ExpiryDecided) -> None:
    """Clears what an operator says was meant, and nothing that came after that word.

    What another cleared before is left as it is.
    """
    with suppress(NotFound):
        await clear_holds(conn, event.plan_id, event.reason, seen_at=event.decided_at)


async def clear_holds(
    conn: Connection, plan_id: UUID, reason: str, *, seen_at: datetime | None = None
) -> list[int]:
    """Lets a plan's versions expire again; returns the runs that held them. Raises NotFound.

    seen_at: what was held later stays so; without it nothing does.
    """
    now = clock.now()
    cleared = await store.expiry.holds.clear_holds(conn, plan_id, reason, now, seen_at or now)
    if not cleared:
        raise NotFound("hold")
    numbers = [number for _, number in cleared]
    told = ExpiryCleared(
        tenant_id=cleared[0][0],
        plan_id=plan_id,
        numbers=tuple(numbers),
        reason=reason,
        cleared_at=now,
    )
    await outbox.add(conn, told)
    logs.get().warning("expiry.cleared", plan_id=str(plan_id), runs=numbers, reason=reason)
    return numbers


async def expire_tenant(resources: Resources, tenant: store.tenants.Tenant, now: datetime) -> int:
    """Forgets what a living tenant's plans superseded long enough ago; returns how many versions.

    `now` was checked by `check_time`.
    """
    if not rules.expiry.is_alive(tenant.subscription):
        return 0
    window = rules.expiry.find_window(now, tenant.retention_days)
    async with database.acquire(resources.pool) as conn:
        plans = await store.expiry.judging.list_plans(conn, tenant.tenant_id)
    total = sum(
        [await expire_plan(resources, tenant.tenant_id, plan, window, now) for plan in plans]
    )
    if total:
        async with database.transaction(resources.pool) as conn:
            await store.sessions.allow_long_statements(conn)
            used_before = now - rules.expiry.SETS_GRACE
            await store.expiry.removing.remove_attribute_sets(conn, tenant.tenant_id, used_before)
    return total


async def expire_plan(
    resources: Resources,
    tenant_id: UUID,
    plan_id: UUID,
    window: rules.expiry.Window,
    now: datetime,
) -> int:
    """Forgets what a plan superseded before the window; returns how many versions.

    First go the restore points that would lose something, all at once, then the versions, in
    slices: at every moment each restore point that is there is whole.
    """
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        oldest_kept = await judge_window(conn, tenant_id, plan_id, window, now)
        if oldest_kept is None:
            return 0
        removed = await store.expiry.removing.remove_broken_points(
            conn, tenant_id, plan_id, oldest_kept
        )
        if removed:
            await tell(conn, tenant_id, plan_id, oldest_kept, removed, (0, 0), now)
    crashpoint("retention.after_restore_points")
    total = await remove_versions(resources, tenant_id, plan_id, oldest_kept, now)
    if removed or total:
        async with database.transaction(resources.pool) as conn:
            await store.sessions.allow_long_statements(conn)
            await store.expiry.removing.remove_digests(conn, tenant_id, plan_id)
    return total


async def remove_versions(
    resources: Resources, tenant_id: UUID, plan_id: UUID, oldest_kept: int, now: datetime
) -> int:
    """Forgets the versions that ended before a restore point, in slices; returns how many."""
    total = 0
    while True:
        async with database.transaction(resources.pool) as conn:
            await store.sessions.allow_long_statements(conn)
            if await store.expiry.holds.is_held(conn, tenant_id, plan_id):
                return total
            gone = await store.expiry.removing.remove_versions(
                conn, tenant_id, plan_id, oldest_kept, SLICE
            )
            if not gone[0]:
                return total
            await tell(conn, tenant_id, plan_id, oldest_kept, [], gone, now)
        total += gone[0]
        crashpoint("retention.after_versions")


async def tell(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    oldest_kept: int,
    removed: list[int],
    gone: tuple[int, int],
    now: datetime,
) -> None:
    """Says which restore points went, and how many versions with how many bytes."""
    versions, size_bytes = gone
    event = VersionsExpired(
        tenant_id=tenant_id,
        plan_id=plan_id,
        oldest_kept=oldest_kept,
        restore_points=tuple(removed),
        versions=versions,
        size_bytes=size_bytes,
        expired_at=now,
    )
    await outbox.add(conn, event)
    logs.get().info(
        "versions.expired",
        tenant_id=str(tenant_id),
        plan_id=str(plan_id),
        restore_points=len(removed),
        versions=versions,
        bytes=size_bytes,
    )
