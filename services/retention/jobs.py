"""Time in: what retention does every so often, in one process of an installation at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from prometheus_client import Counter, Gauge

from libs.shared import clock, database, logs
from libs.shared.errors import Unavailable
from services.retention import actions, rules, store
from services.retention.actions import Keeper

T = TypeVar("T")

STANDBY_SECONDS = 5.0
WATCH_SECONDS = 5.0
SCRUB_PAUSE_SECONDS = 60.0
FIRST_AFTER_SECONDS = 30.0
SCRUB_MARGIN = 0.9
"""Packs are read again when nine tenths of the cycle have passed: the rest is for the reading."""

DOUBTFUL = Gauge("coffre_retention_time_doubtful", "1 while nothing is deleted for the clock")
HOLDS = Gauge("coffre_expiry_holds", "Unusual runs that hold their plan's expiry")
EXPIRED = Counter("coffre_versions_expired", "Versions that expired")
PACKS = Counter("coffre_packs_collected", "Packs by what collection did with them", ["done"])
STRAYS = Counter("coffre_strays_swept", "Objects that no row named, deleted")
PARTS = Counter("coffre_parts_swept", "Parts of failed runs' deltas, deleted")
PASSES = Counter("coffre_retention_passes", "Passes over a tenant that ended, by job", ["job"])
FAILURES = Counter("coffre_retention_failures", "Passes over a tenant that failed, by job", ["job"])
SCRUBBED = Counter("coffre_scrubbed_bytes", "Bytes read again and found to be whole or damaged")
OLDEST = Gauge("coffre_scrub_oldest_seconds", "Age of the verification of the longest unread pack")
DAMAGED = Gauge("coffre_packs_damaged", "Damaged packs whose chunks were not yet sent again")


@dataclass(frozen=True)
class Rhythm:
    """How often, how fast."""

    collect_every: timedelta
    scrub_within: timedelta
    scrub_rate_bytes: int


async def work(keeper: Keeper, dsn: str, rhythm: Rhythm) -> None:
    """For ever: works while this process holds the lock, and waits for it otherwise."""
    while True:
        try:
            await _lead(keeper, dsn, rhythm)
        except Unavailable as trouble:
            logs.get().warning("job.interrupted", job="work", why=str(trouble))
        await asyncio.sleep(STANDBY_SECONDS)


async def _lead(keeper: Keeper, dsn: str, rhythm: Rhythm) -> None:
    session = await database.connect(dsn, "retention", name="retention-work")
    try:
        with database.outages_translated():
            if not await store.try_lead(session):
                return
            jobs = [
                asyncio.create_task(collect_for_ever(keeper, rhythm)),
                asyncio.create_task(scrub_for_ever(keeper, rhythm)),
            ]
            try:
                while True:
                    await store.check_session(session)
                    done, _ = await asyncio.wait(jobs, timeout=WATCH_SECONDS)
                    for job in done:
                        job.result()
            finally:
                for job in jobs:
                    job.cancel()
                await asyncio.gather(*jobs, return_exceptions=True)
    finally:
        session.terminate()


async def collect_for_ever(keeper: Keeper, rhythm: Rhythm) -> None:
    """Expires, collects, repacks and sweeps, one tenant after the other, in each interval."""
    every = rhythm.collect_every.total_seconds()
    await asyncio.sleep(min(FIRST_AFTER_SECONDS, every))
    while True:
        await collect_all(keeper)
        await asyncio.sleep(every)


async def collect_all(keeper: Keeper) -> None:
    """One pass over all tenants; stops, and says so, where the time can't be believed."""
    for tenant in await _list_tenants(keeper):
        try:
            now = await actions.check_time(keeper)
        except actions.TimeDoubtful as doubt:
            DOUBTFUL.set(1)
            logs.get().error("retention.stopped", why=doubt.detail)
            return
        except Unavailable as trouble:
            logs.get().warning("job.interrupted", job="collect", why=str(trouble))
            return
        DOUBTFUL.set(0)
        await _attempt("collect", tenant, _collect(keeper, tenant, now))
    async with database.acquire(keeper.pool) as conn:
        HOLDS.set(len(await store.list_holds(conn)))


async def _collect(keeper: Keeper, tenant: store.Tenant, now: datetime) -> None:
    EXPIRED.inc(await actions.expire_tenant(keeper, tenant, now))
    if not rules.is_alive(tenant.subscription):
        return
    done = await actions.collect_tenant(keeper, tenant.tenant_id, now)
    for name in ("condemned", "resurrected", "deleted", "repacked"):
        PACKS.labels(name).inc(getattr(done, name))
    store_now = await keeper.objects.date()
    STRAYS.inc(await actions.sweep_strays(keeper, tenant.tenant_id, now, store_now))
    PARTS.inc(await actions.sweep_parts(keeper, tenant.tenant_id, now, store_now))


async def scrub_for_ever(keeper: Keeper, rhythm: Rhythm) -> None:
    """Reads what was not read for long, tenant after tenant, no faster than it may."""
    while True:
        read = False
        before = clock.now() - rhythm.scrub_within * SCRUB_MARGIN
        for tenant in await _list_tenants(keeper):
            began = time.monotonic()
            scrub = actions.scrub_tenant(keeper, tenant.tenant_id, before, clock.now())
            done = await _attempt("scrub", tenant, scrub)
            if done is not None and done.packs:
                read = True
                SCRUBBED.inc(done.read_bytes)
                earned = done.read_bytes / rhythm.scrub_rate_bytes
                await asyncio.sleep(max(0.0, earned - (time.monotonic() - began)))
        await _measure(keeper)
        if not read:
            await asyncio.sleep(SCRUB_PAUSE_SECONDS)


async def _measure(keeper: Keeper) -> None:
    async with database.acquire(keeper.pool) as conn:
        oldest = await store.find_oldest_verified(conn)
        DAMAGED.set(await store.count_damaged(conn))
    OLDEST.set((clock.now() - oldest).total_seconds() if oldest else 0)


async def _list_tenants(keeper: Keeper) -> list[store.Tenant]:
    async with database.acquire(keeper.pool) as conn:
        return await store.list_tenants(conn)


async def _attempt(job: str, tenant: store.Tenant, doing: Awaitable[T]) -> T | None:
    """Does one tenant's part; what fails there must not keep the others from theirs."""
    log = logs.get().bind(tenant_id=str(tenant.tenant_id), job=job)
    try:
        done = await doing
    except (Unavailable, actions.MarkOutdated) as trouble:
        FAILURES.labels(job).inc()
        log.warning("job.interrupted", why=str(trouble))
        return None
    except Exception:
        FAILURES.labels(job).inc()
        log.exception("job.failed")
        return None
    PASSES.labels(job).inc()
    return done
