"""How each run ended, told to the bucket: what a rebuild goes by (docs/decisions/0013)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.shared import bucket, clock, database, logs, sealing
from libs.shared.errors import Refusal, Unavailable
from libs.shared.keys import KeysDestroyed, TenantKeys
from services.ingest import store
from services.ingest.actions.ingest import Ingest

_ENDS_AT_ONCE = 100
_PATIENCE = timedelta(seconds=5)


def runs_prefix(tenant_id: UUID, plan_id: UUID) -> str:
    """How the keys of all objects of a plan's runs begin."""
    return f"t/{tenant_id}/runs/{plan_id}/"


def seal_part(plain: bytes | bytearray, keys: TenantKeys, key: str) -> bytes:
    """An object of a run as it is stored: bound to its key, and so to tenant, plan and run."""
    return sealing.seal_blob(plain, keys, f"coffre/run/v1 {key}".encode())


def open_part(sealed: bytes, keys: TenantKeys, key: str) -> bytes:
    """What `seal_part` sealed; SealBroken if it is damaged or lies under another key."""
    return sealing.open_blob(sealed, keys, f"coffre/run/v1 {key}".encode())


async def put_head(ingest: Ingest, head: bucket.Head) -> str:
    """Stores what a commit asks for, under a key of its own; returns the key."""
    plain = msgspec.json.encode(head)
    prefix = f"{runs_prefix(head.tenant_id, head.plan_id)}{head.number}"
    key = f"{prefix}.head.{hashlib.sha256(plain).hexdigest()[:16]}"
    await ingest.objects.put(key, seal_part(plain, await ingest.keys.get(head.tenant_id), key))
    return key


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
    key = f"{runs_prefix(tenant_id, end.plan_id)}{end.number}.end"
    sealed = seal_part(msgspec.json.encode(end), await ingest.keys.get(tenant_id), key)
    await ingest.objects.put(key, sealed)
    async with database.acquire(ingest.pool) as conn:
        await store.mark_end_written(conn, tenant_id, run_id)
