"""Stray objects: packs in the bucket that no row names, left where something died."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import bucket, database, logs
from libs.shared.bucket import PackObject
from libs.shared.crashpoints import crashpoint
from libs.shared.objects import StoredObject
from services.retention import store
from services.retention.actions.collection.packs import remove_objects
from services.retention.actions.resources import Resources

STRAY_AFTER = timedelta(days=1)
_ROWS_AT_ONCE = 1_000


async def list_strays(
    resources: Resources, tenant_id: UUID
) -> AsyncIterator[tuple[StoredObject, bytes]]:
    """Yields (object, pack id) of each pack in the bucket that no row names, whatever its age.

    What doesn't look like a pack is left alone: the audit names it.
    """
    page: dict[bytes, StoredObject] = {}
    async for found in resources.objects.list_dated(bucket.packs_of(tenant_id)):
        named = bucket.parse_key(found.key)
        if isinstance(named, PackObject):
            page[named.pack_id] = found
        if len(page) >= _ROWS_AT_ONCE:
            for stray in await _without_row(resources, tenant_id, page):
                yield page[stray], stray
            page = {}
    for stray in await _without_row(resources, tenant_id, page):
        yield page[stray], stray


async def sweep_strays(
    resources: Resources, tenant_id: UUID, now: datetime, store_now: datetime
) -> int:
    """Deletes a tenant's stray packs that are older than a day; returns how many.

    now, store_now: the installation's time, checked by `check_time`, and the store's own, by
    which the age of objects is told.
    """
    old = [
        pack_id
        async for found, pack_id in list_strays(resources, tenant_id)
        if found.modified_at + STRAY_AFTER <= store_now
    ]
    swept = 0
    for at in range(0, len(old), _ROWS_AT_ONCE):
        async with database.transaction(resources.pool) as conn:
            claimed = await store.collection.removals.claim_strays(
                conn, tenant_id, old[at : at + _ROWS_AT_ONCE], now
            )
        crashpoint("retention.after_claim")
        swept += len(claimed)
        await remove_objects(resources, tenant_id, now)
    if swept:
        logs.get().info("strays.swept", tenant_id=str(tenant_id), packs=swept)
    return swept


async def _without_row(
    resources: Resources, tenant_id: UUID, page: dict[bytes, StoredObject]
) -> list[bytes]:
    async with database.acquire(resources.pool) as conn:
        known = await store.collection.removals.find_known(conn, tenant_id, list(page))
    return [pack_id for pack_id in page if pack_id not in known]
