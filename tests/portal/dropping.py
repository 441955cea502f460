"""What retention would do of what is dropped in a portal, beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.shared import clock, database, events, keys
from services.retention import actions, consumers, store
from services.retention.actions.resources import Resources
from tests.portal import builder


@asynccontextmanager
async def retention(portal: Any) -> AsyncIterator[Resources]:
    """Retention's parts on the portal's database and bucket."""
    dsn = portal.ingest_dsn.replace("ingest", "retention")
    pool = await database.create_pool(dsn, "retention")
    try:
        ring = keys.KeyRing(portal.parts.objects, portal.master_key)
        yield Resources(pool, portal.parts.objects, ring)
    finally:
        await pool.close()


async def count_fills(portal: Any) -> None:
    """Counts what fills every client's volume."""
    async with retention(portal) as keeper:
        async with database.acquire(keeper.pool) as conn:
            due = await store.fills.list_due(conn, clock.now())
        for tenant_id in due:
            await actions.fills.measure_tenant(keeper, tenant_id, clock.now())


async def carry_out(portal: Any) -> None:
    """Hands retention what the portal said of reductions, and the portal what came of it."""
    async with retention(portal) as keeper:
        for kind in (events.TenantChanged, events.ReductionOrdered, events.ReductionWithdrawn):
            for said in await portal.events(kind.type):
                async with database.transaction(keeper.pool) as conn:
                    await consumers.HANDLERS[kind](conn, kind.model_validate(said))
        async with database.acquire(keeper.pool) as conn:
            waiting = await store.reductions.list_uncounted(conn)
        for reduction in waiting:
            await actions.reductions.carry_out(keeper, reduction)
    rows = await portal.admin.fetch(
        "SELECT payload FROM retention.outbox WHERE type = 'reduction.applied.v1' ORDER BY position"
    )
    for row in rows:
        await builder.hear(portal, events.ReductionApplied.model_validate_json(row["payload"]))
