"""What can't be undone: first the keys, then every version of every object, until all is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from libs.shared import bucket, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.objects import StoredVersion, Undeletable
from libs.shared.reasons import Reason
from services.retention import rules, store
from services.retention.actions.destruction import ledger, telling
from services.retention.actions.resources import Resources
from services.retention.store.destruction.days import Due
from services.retention.store.destruction.inventories import Inventory

PAGES_OF_TURN = 20


async def write_ledger(resources: Resources, due: Due, work: Inventory, _now: datetime) -> int:
    """Tells the bucket of it first: a database from before must learn of it."""
    await ledger.write(resources, due, work)
    crashpoint("retention.after_ledger")
    async with database.transaction(resources.pool) as conn:
        await store.destruction.inventories.move(conn, work.destruction_id, "ledger", "keys")
    return 1


async def destroy_keys(resources: Resources, _due: Due, work: Inventory, now: datetime) -> int:
    """Destroys the tenant's wrapped keys, all versions of them."""
    if _is_paused(work, now):
        return 0
    keys_at, _ = bucket.prefixes_of(work.tenant_id)
    refused: Sequence[Undeletable] = []
    deleted = 0
    while page := await resources.objects.list_versions(keys_at):
        found = [one for one in page.versions if one.key == keys_at]
        refused = await resources.objects.delete_versions(found) if found else []
        deleted += len(found) - len(refused)
        crashpoint("retention.in_keys")
        if not found or refused:
            break
    resources.keys.forget(work.tenant_id)
    if refused:
        return await _wait_for_locks(resources, work, refused, now)
    async with database.transaction(resources.pool) as conn:
        await store.destruction.inventories.count_down(conn, work.destruction_id, deleted)
        await store.destruction.inventories.end_keys(conn, work.destruction_id, now)
        await telling.move(conn, work.tenant_id, "running")
    logs.get().warning("destruction.keys_destroyed", tenant_id=str(work.tenant_id))
    crashpoint("retention.after_keys")
    return 1


async def destroy_objects(resources: Resources, _due: Due, work: Inventory, now: datetime) -> int:
    """Deletes some thousands of versions, no faster than it may; returns how many.

    Whatever is found is deleted, be it in the inventory or not. At the end the next step is to
    look again.
    """
    if _is_paused(work, now):
        return 0
    began = time.monotonic()
    deleted, refused, is_over = await _delete_pages(resources, work)
    await _keep_pace(resources, deleted, began)
    if not is_over:
        async with database.transaction(resources.pool) as conn:
            await telling.tell(conn, work.tenant_id, "running")
        return deleted
    if refused:
        return await _wait_for_locks(resources, work, refused, now)
    async with database.transaction(resources.pool) as conn:
        await store.destruction.inventories.move(conn, work.destruction_id, "objects", "looking")
        await store.destruction.inventories.set_empty(conn, work.destruction_id, None, None)
        await telling.move(conn, work.tenant_id, "running")
        await telling.tell(conn, work.tenant_id, "running")
    crashpoint("retention.after_objects")
    return 1


async def _delete_pages(
    resources: Resources, work: Inventory
) -> tuple[int, list[Undeletable], bool]:
    """Deletes page after page; how many versions, which the store refused, and were that all.

    One page after the other: several at a time took SeaweedFS twice as long.
    """
    deleted = pages = 0
    refused: list[Undeletable] = []
    async with aclosing(_list_pages(resources, work)) as listed:
        async for page in listed:
            refusals = await _delete_page(resources, work, page)
            refused += refusals
            pages += 1
            deleted += len(page) - len(refusals)
            # What is locked stays in front: then all that is behind it belongs to the same turn.
            if pages >= PAGES_OF_TURN and not refused:
                return deleted, refused, False
    return deleted, refused, True


async def _list_pages(
    resources: Resources, work: Inventory
) -> AsyncGenerator[list[StoredVersion], None]:
    """Pages of versions; the next one is listed while the one before it is deleted."""
    for prefix in bucket.prefixes_of(work.tenant_id):
        listing = asyncio.create_task(resources.objects.list_versions(prefix))
        try:
            while True:
                page = await listing
                behind = page.goes_on_behind
                if behind is not None:
                    listing = asyncio.create_task(resources.objects.list_versions(prefix, behind))
                if page.versions:
                    yield page.versions
                if behind is None:
                    break
        finally:
            listing.cancel()


async def _delete_page(
    resources: Resources, work: Inventory, page: list[StoredVersion]
) -> Sequence[Undeletable]:
    async with database.transaction(resources.pool) as conn:
        await store.destruction.objects.add_late(conn, work.destruction_id, page)
    refused = await resources.objects.delete_versions(page)
    crashpoint("retention.in_objects")
    async with database.transaction(resources.pool) as conn:
        await store.destruction.inventories.count_down(
            conn, work.destruction_id, len(page) - len(refused)
        )
    return refused


async def _keep_pace(resources: Resources, deleted: int, began: float) -> None:
    earned = deleted / resources.rhythm.destroy_rate_objects
    await asyncio.sleep(max(0.0, earned - (time.monotonic() - began)))


async def look(resources: Resources, _due: Due, work: Inventory, now: datetime) -> int:
    """Lists once more, and an hour later again: only what is twice found empty is destroyed."""
    first_at = work.first_empty_at
    if first_at is not None and now < first_at + rules.destruction.LOOK_AGAIN_AFTER:
        return 0
    found = [
        await resources.objects.list_versions(prefix)
        for prefix in bucket.prefixes_of(work.tenant_id)
    ]
    is_empty = not any(page.versions or page.goes_on_behind for page in found)
    async with database.transaction(resources.pool) as conn:
        inventories = store.destruction.inventories
        if not is_empty:
            # An object came back, or was never gone: all begins anew from there.
            await inventories.set_empty(conn, work.destruction_id, None, None)
            await inventories.move(conn, work.destruction_id, "looking", "objects")
            logs.get().error("destruction.objects_reappeared", tenant_id=str(work.tenant_id))
        elif work.certificate is not None:
            # It was proven before; this is done again after a database from before was restored.
            await inventories.move(conn, work.destruction_id, "looking", "rows")
        elif first_at is None:
            await inventories.set_empty(conn, work.destruction_id, now, None)
            await inventories.set_left(conn, work.destruction_id, 0)
            await telling.tell(conn, work.tenant_id, "running")
        else:
            await inventories.set_empty(conn, work.destruction_id, first_at, now)
            await inventories.move(conn, work.destruction_id, "looking", "rows")
    crashpoint("retention.after_look")
    return 1


async def _wait_for_locks(
    resources: Resources, work: Inventory, refused: Sequence[Undeletable], now: datetime
) -> int:
    """Says what the store won't delete, and until when; nothing is certified before."""
    one = refused[0]
    until = await resources.objects.find_lock(one.key, one.version_id)
    reason = Reason(
        "objects-locked",
        f"{until:%Y-%m-%d %H:%M}" if until else "",
        amount=len(refused),
        detail=one.code,
    )
    async with database.transaction(resources.pool) as conn:
        await store.destruction.inventories.set_tried(conn, work.destruction_id, now)
        await telling.move(conn, work.tenant_id, "waiting", [reason])
    logs.get().error(
        "destruction.objects_locked", tenant_id=str(work.tenant_id), objects=len(refused)
    )
    return 0


def _is_paused(work: Inventory, now: datetime) -> bool:
    return work.tried_at is not None and now < work.tried_at + rules.destruction.TRY_LOCKED_AFTER
