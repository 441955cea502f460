"""How each run ended, told to the bucket: what a rebuild goes by (docs/decisions/0013)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from libs.shared import bucket, clock, database, logs
from libs.shared.errors import Refusal, Unavailable
from libs.shared.keys import KeysDestroyed
from services.ingest import store
from services.ingest.actions.ingest import Ingest

_ENDS_AT_ONCE = 100
_PATIENCE = timedelta(seconds=5)


async def put_head(ingest: Ingest, head: bucket.Head) -> str:
    """Stores what a commit asks for, under a key of its own; returns the key."""
    sealed = bucket.seal_head(head, await ingest.keys.get(head.tenant_id))
    await ingest.objects.put(sealed.key, sealed.body)
    return sealed.key


async def tell_end(ingest: Ingest, tenant_id: UUID, run_id: UUID) -> None:
    """Tells the bucket how a run ended, at once where that works; `tell_ends` sees to the rest.

    Never fails: the end is committed, and its answer must not depend on the store.
    """
    try:
        await _write_end(ingest, tenant_id, run_id)
    except Unavailable as trouble:
        logs.get().warning("end.untold", run_id=str(run_id), why=str(trouble))


async def tell_ends(ingest: Ingest) -> int:
    """Tells the bucket of ends that it doesn't know of; returns how many."""
    async with database.acquire(ingest.pool) as conn:
        untold = await store.list_untold_ends(conn, clock.now() - _PATIENCE, _ENDS_AT_ONCE)
    told = 0
    for tenant_id, run_id in untold:
        try:
            await _write_end(ingest, tenant_id, run_id)
            told += 1
        except KeysDestroyed:
            # Nothing of this tenant will ever be rebuilt.
            async with database.acquire(ingest.pool) as conn:
                await store.mark_end_written(conn, tenant_id, run_id)
        except Refusal as refusal:
            logs.get().warning("end.untold", run_id=str(run_id), why=refusal.code)
    return told


async def _write_end(ingest: Ingest, tenant_id: UUID, run_id: UUID) -> None:
    async with database.acquire(ingest.pool) as conn:
        end = await store.find_end(conn, tenant_id, run_id)
    sealed = bucket.seal_end(end, await ingest.keys.get(tenant_id))
    await ingest.objects.put(sealed.key, sealed.body)
    async with database.acquire(ingest.pool) as conn:
        await store.mark_end_written(conn, tenant_id, run_id)
