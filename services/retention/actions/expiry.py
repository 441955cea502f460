"""Expiry: what was superseded long enough ago is forgotten, with the restore points it was in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import clock, database, logs, outbox
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.errors import NotFound
from libs.shared.events import VersionsExpired
from services.retention import rules, store
from services.retention.actions.resources import Resources

SLICE = 20_000


async def judge_runs(conn: Connection, tenant_id: UUID, plan_id: UUID, now: datetime) -> None:
    """Judges a plan's new restore points, and holds its expiry because of unusual ones.

    By what the catalogue says of them: the agent's own figures could hide what it did.
    """
    judged = await store.expiry.lock_judged(conn, tenant_id, plan_id)
    found = await store.expiry.list_run_facts(conn, tenant_id, plan_id, judged)
    for number, facts in found:
        why = rules.expiry.find_unusual(facts) if facts else None
        if why:
            await store.expiry.add_hold(conn, tenant_id, plan_id, number, why, now)
            logs.get().warning(
                "expiry.held",
                tenant_id=str(tenant_id),
                plan_id=str(plan_id),
                run=number,
                why=why,
            )
    if found:
        await store.expiry.put_judged(conn, tenant_id, plan_id, found[-1][0])


async def clear_holds(conn: Connection, plan_id: UUID, reason: str) -> list[int]:
    """Lets a plan's versions expire again; returns the runs that held them. Raises NotFound."""
    cleared = await store.expiry.clear_holds(conn, plan_id, reason, clock.now())
    if not cleared:
        raise NotFound("hold")
    logs.get().warning("expiry.cleared", plan_id=str(plan_id), runs=cleared, reason=reason)
    return cleared


async def expire_tenant(resources: Resources, tenant: store.tenants.Tenant, now: datetime) -> int:
    """Forgets what a living tenant's plans superseded long enough ago; returns how many versions.

    `now` was checked by `check_time`.
    """
    if not rules.expiry.is_alive(tenant.subscription):
        return 0
    cutoff = rules.expiry.find_cutoff(now, tenant.retention_days)
    async with database.acquire(resources.pool) as conn:
        plans = await store.expiry.list_plans(conn, tenant.tenant_id)
    return sum(
        [await expire_plan(resources, tenant.tenant_id, plan, cutoff, now) for plan in plans]
    )


async def expire_plan(
    resources: Resources, tenant_id: UUID, plan_id: UUID, cutoff: datetime, now: datetime
) -> int:
    """Forgets what a plan superseded before the cutoff; returns how many versions.

    First go the restore points that would lose something, all at once, then the versions, in
    slices: at every moment each restore point that is there is whole.
    """
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        await judge_runs(conn, tenant_id, plan_id, now)
        if await store.expiry.is_held(conn, tenant_id, plan_id):
            return 0
        oldest_kept = await store.expiry.find_oldest_kept(conn, tenant_id, plan_id, cutoff)
        if oldest_kept is None:
            return 0
        removed = await store.expiry.remove_broken_points(conn, tenant_id, plan_id, oldest_kept)
        if removed:
            await _tell(conn, tenant_id, plan_id, oldest_kept, removed, (0, 0), now)
    crashpoint("retention.after_restore_points")
    total = 0
    while True:
        async with database.transaction(resources.pool) as conn:
            await store.sessions.allow_long_statements(conn)
            if await store.expiry.is_held(conn, tenant_id, plan_id):
                return total
            gone = await store.expiry.remove_versions(conn, tenant_id, plan_id, oldest_kept, SLICE)
            if not gone[0]:
                return total
            await _tell(conn, tenant_id, plan_id, oldest_kept, [], gone, now)
        total += gone[0]
        crashpoint("retention.after_versions")


async def _tell(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    oldest_kept: int,
    removed: list[int],
    gone: tuple[int, int],
    now: datetime,
) -> None:
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
