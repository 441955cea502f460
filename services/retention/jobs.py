"""Time in: what retention does every so often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar, get_args
from uuid import UUID

from prometheus_client import Counter, Gauge

from libs.shared import clock, database, logs, timekeeping
from libs.shared.errors import Unavailable
from libs.shared.events import DestructionState
from libs.shared.runtime import Job, Jobs
from services.retention import actions, rules, store
from services.retention.actions.resources import Resources

T = TypeVar("T")

SCRUB_MARGIN = 0.9
"""Packs are read again when nine tenths of the cycle have passed: the rest is for the reading."""

HOLDS = Gauge("coffre_expiry_holds", "Unusual runs that hold their plan's expiry")
EXPIRED = Counter("coffre_versions_expired", "Versions that expired")
PACKS = Counter("coffre_packs_collected", "Packs by what collection did with them", ["done"])
_COLLECTED = ("condemned", "resurrected", "deleted", "repacked")
for _done in _COLLECTED:
    PACKS.labels(_done)
STRAYS = Counter("coffre_strays_swept", "Objects that no row named, deleted")
PARTS = Counter("coffre_parts_swept", "Parts of failed runs' deltas, deleted")
PASSES = Counter("coffre_retention_passes", "Passes over a tenant that ended, by job", ["job_name"])
FAILURES = Counter(
    "coffre_retention_failures", "Passes over a tenant that failed, by job", ["job_name"]
)
SCRUBBED = Counter("coffre_scrubbed_bytes", "Bytes read again and found to be whole or damaged")
OLDEST = Gauge("coffre_scrub_oldest_seconds", "Age of the verification of the longest unread pack")
WITHIN = Gauge("coffre_scrub_within_seconds", "Within which every pack is to be read again")
UNPROVEN = Gauge(
    "coffre_restore_points_unproven", "Restore points that are altered or missing, at the last look"
)
LATE_AFTER = timedelta(hours=1)
"""Within which a destruction that is due begins."""

DESTRUCTIONS = Gauge("coffre_destructions", "Destructions by state", ["state"])
OBJECTS_LEFT = Gauge("coffre_destruction_objects_left", "Objects that destructions delete yet")
LATE = Gauge("coffre_destructions_late", "Destructions due for an hour that have not begun")
REPLAYED = Counter("coffre_destructions_replayed", "Destructions done again after a restore")
DAMAGED = Gauge("coffre_packs_damaged", "Damaged packs whose chunks were not yet sent again")
CONDEMNED = Gauge("coffre_packs_condemned", "Packs that nothing needs, in their grace")
GARBAGE = Gauge("coffre_garbage_bytes", "Bytes of packs that nothing needs, in their grace")
WAL_ARCHIVED = Gauge(
    "coffre_wal_archived_timestamp_seconds",
    "When PostgreSQL last archived WAL, by its clock; 0 where it is to archive none",
)
WAL_FAILURES = Gauge(
    "coffre_wal_archive_failures", "Tries to archive WAL that failed since PostgreSQL counts"
)
BASE_BACKUP = Gauge(
    "coffre_base_backup_timestamp_seconds",
    "When a base backup of PostgreSQL last ended, by its clock; 0 where it knows of none",
)


async def collect(resources: Resources) -> None:
    """Expires, collects, repacks and sweeps, one tenant after the other.

    Is late where the time can't be believed.
    """
    each = _EachTenant("collect")
    for tenant in await _list_tenants(resources):
        now = await timekeeping.check_time(resources.pool, resources.objects.date)
        await each.attempt(tenant.tenant_id, _collect(resources, tenant, now))
    each.check()


async def _collect(resources: Resources, tenant: store.tenants.Tenant, now: datetime) -> None:
    EXPIRED.inc(await actions.expiry.expire_tenant(resources, tenant, now))
    if not rules.expiry.is_alive(tenant.subscription):
        return
    await actions.reductions.collect(resources, tenant.tenant_id, now)
    done = await actions.collection.tenant.collect_tenant(resources, tenant.tenant_id, now)
    for name in _COLLECTED:
        PACKS.labels(name).inc(getattr(done, name))
    store_now = await resources.objects.date()
    STRAYS.inc(
        await actions.collection.strays.sweep_strays(resources, tenant.tenant_id, now, store_now)
    )
    PARTS.inc(await actions.parts.sweep_parts(resources, tenant.tenant_id, now, store_now))


async def reduce(resources: Resources) -> int:
    """Drops what clients ordered, or takes it back; returns how many reductions."""
    async with database.acquire(resources.pool) as conn:
        waiting = await store.reductions.list_uncounted(conn)
    each = _EachTenant("reduce")
    done = [await each.attempt(one.tenant_id, _reduce(resources, one)) for one in waiting]
    each.check()
    return sum(one is not None for one in done)


async def _reduce(resources: Resources, reduction: rules.reductions.Reduction) -> int:
    await actions.reductions.carry_out(resources, reduction)
    return await actions.fills.measure_tenant(resources, reduction.tenant_id, clock.now())


async def count_fills(resources: Resources) -> int:
    """Counts what fills the volumes that changed; returns of how many clients."""
    async with database.acquire(resources.pool) as conn:
        due = await store.fills.list_due(conn, clock.now())
    each = _EachTenant("count_fills")
    done = [
        await each.attempt(one, actions.fills.measure_tenant(resources, one, clock.now()))
        for one in due
    ]
    each.check()
    return sum(one is not None for one in done)


async def scrub(resources: Resources) -> int:
    """Reads some of what was not read for long, tenant after tenant, no faster than it may.

    Returns how many packs were read: there may be more.
    """
    rhythm = resources.rhythm
    each = _EachTenant("scrub")
    packs = 0
    before = clock.now() - rhythm.scrub_within * SCRUB_MARGIN
    for tenant in await _list_tenants(resources):
        began = time.monotonic()
        doing = actions.scrubbing.scrub_tenant(resources, tenant.tenant_id, before, clock.now())
        done = await each.attempt(tenant.tenant_id, doing)
        if done is not None and done.packs:
            packs += done.packs
            SCRUBBED.inc(done.read_bytes)
            earned = done.read_bytes / rhythm.scrub_rate_bytes
            await asyncio.sleep(max(0.0, earned - (time.monotonic() - began)))
    each.check()
    return packs


async def prove(resources: Resources) -> None:
    """Compares all restore points with their seals and with what the bucket says of them."""
    each = _EachTenant("prove")
    unproven = 0
    for tenant in await _list_tenants(resources):
        found = await each.attempt(tenant.tenant_id, _prove(resources, tenant))
        unproven += found or 0
    UNPROVEN.set(unproven)
    each.check()


async def _prove(resources: Resources, tenant: store.tenants.Tenant) -> int:
    found = 0
    async for one in actions.audit.proving.compare_points(resources, tenant.tenant_id, clock.now()):
        logs.get().error("restore_point.doubtful", kind=one.kind, what=one.sentence)
        found += 1
    return found


async def destroy(resources: Resources) -> int:
    """Does some of each destruction that is due; returns how much: there may be more.

    Is late where the time can't be believed, and says so of each of them.
    """
    async with database.acquire(resources.pool) as conn:
        due = await store.destruction.days.list_due(conn, clock.now())
    if not due:
        return 0
    each = _EachTenant("destroy")
    done = 0
    for one in due:
        try:
            now = await timekeeping.check_time(resources.pool, resources.objects.date)
        except timekeeping.TimeDoubtful as doubt:
            await actions.destruction.advancing.doubt_time(resources, str(doubt), clock.now())
            raise
        doing = actions.destruction.advancing.advance(resources, one, now)
        done += await each.attempt(one.tenant_id, doing) or 0
    each.check()
    return done


async def replay_ledger(resources: Resources) -> None:
    """Takes up again what the bucket says was erased and the database has forgotten."""
    REPLAYED.inc(await actions.destruction.ledger.replay(resources))


async def measure_storage(resources: Resources) -> None:
    """Tells how old the oldest verification is, and what waits for somebody."""
    async with database.acquire(resources.pool) as conn:
        oldest = await store.scrubbing.find_oldest_verified(conn)
        unlive = await store.scrubbing.sum_unlive(conn)
        HOLDS.set(len(await store.expiry.holds.list_holds(conn)))
        states = await store.destruction.days.count_by_state(conn)
        OBJECTS_LEFT.set(await store.destruction.inventories.count_left(conn))
        LATE.set(await store.destruction.days.count_late(conn, clock.now() - LATE_AFTER))
    for state in get_args(DestructionState):
        DESTRUCTIONS.labels(state).set(states.get(state, 0))
    OLDEST.set((clock.now() - oldest).total_seconds() if oldest else 0)
    WITHIN.set(resources.rhythm.scrub_within.total_seconds())
    for gauge, state in ((DAMAGED, "damaged"), (CONDEMNED, "condemned")):
        gauge.set(unlive[state].packs if state in unlive else 0)
    GARBAGE.set(unlive["condemned"].object_bytes if "condemned" in unlive else 0)


async def measure_backup(resources: Resources) -> None:
    """Tells how far the backup of our own database is."""
    async with database.acquire(resources.pool) as conn:
        archiving = await store.backup.find_archiving(conn)
    base_backup_at = archiving and archiving.base_backup_at
    WAL_ARCHIVED.set(archiving.archived_at.timestamp() if archiving else 0)
    WAL_FAILURES.set(archiving.failures if archiving else 0)
    BASE_BACKUP.set(base_backup_at.timestamp() if base_backup_at else 0)


async def _list_tenants(resources: Resources) -> list[store.tenants.Tenant]:
    async with database.acquire(resources.pool) as conn:
        return await store.tenants.list_all(conn)


class _EachTenant:
    """A job's way through all tenants: what fails for one must not keep the others from theirs."""

    def __init__(self, job: str) -> None:
        self._job = job
        PASSES.labels(job)
        FAILURES.labels(job)
        self._passed = 0
        self._outage: Unavailable | None = None

    async def attempt(self, tenant_id: UUID, doing: Awaitable[T]) -> T | None:
        """Does one tenant's part."""
        log = logs.get().bind(tenant_id=str(tenant_id))
        try:
            done = await doing
        except (Unavailable, actions.collection.packs.MarkOutdated) as trouble:
            FAILURES.labels(self._job).inc()
            log.warning("tenant.postponed", why=str(trouble))
            self._outage = trouble if isinstance(trouble, Unavailable) else self._outage
            return None
        except Exception:
            FAILURES.labels(self._job).inc()
            log.exception("tenant.failed")
            return None
        PASSES.labels(self._job).inc()
        self._passed += 1
        return done

    def check(self) -> None:
        """Raises Unavailable where that kept every tenant from its part."""
        if self._outage is not None and not self._passed:
            raise self._outage


JOBS: Jobs[Resources] = [
    Job("collect", lambda resources: resources.rhythm.collect_every, collect, leader=True),
    Job("reduce", timedelta(seconds=2), reduce, leader=True),
    Job("count_fills", timedelta(seconds=5), count_fills, leader=True),
    Job("scrub", timedelta(minutes=1), scrub, leader=True),
    Job("tell_mended", timedelta(minutes=1), actions.scrubbing.tell_mended, leader=True),
    Job("prove", timedelta(days=1), prove, leader=True),
    # What it waits for wakes it; the clock serves the days.
    Job(
        "destroy",
        timedelta(minutes=1),
        destroy,
        leader=True,
        wake=store.destruction.days.CHANNEL,
    ),
    Job("replay_ledger", timedelta(days=1), replay_ledger, leader=True),
    Job("measure_storage", timedelta(minutes=1), measure_storage),
    Job("measure_backup", timedelta(minutes=1), measure_backup),
]
