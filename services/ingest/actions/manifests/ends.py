"""How each run ended, told to the bucket: what a rebuild goes by (docs/decisions/0013)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.shared import bucket, clock, database, logs
from libs.shared.errors import Refusal, Unavailable
from libs.shared.keys import KeysDestroyed, TenantKeys
from services.ingest import store
from services.ingest.actions.proofs import open_seal
from services.ingest.actions.resources import Resources

_ENDS_AT_ONCE = 100
_PATIENCE = timedelta(seconds=5)


async def put_head(resources: Resources, head: bucket.Head) -> str:
    """Stores what a commit asks for, under a key of its own; returns the key."""
    sealed = bucket.seal_head(head, await resources.keys.get(head.tenant_id))
    await resources.objects.put(sealed.key, sealed.body)
    return sealed.key


async def tell_end(resources: Resources, tenant_id: UUID, run_id: UUID) -> None:
    """Tells the bucket how a run ended, at once where that works; `tell_ends` sees to the rest.

    Never fails: the end is committed, and its answer must not depend on the store.
    """
    try:
        await _write_end(resources, tenant_id, run_id)
    except Unavailable as trouble:
        logs.get().warning("end.pending", run_id=str(run_id), why=str(trouble))


async def tell_ends(resources: Resources) -> int:
    """Tells the bucket of ends that it doesn't know of; returns how many.

    Raises Unavailable where that kept every one of them.
    """
    async with database.acquire(resources.pool) as conn:
        pending = await store.manifests.due.list_pending_ends(
            conn, clock.now() - _PATIENCE, _ENDS_AT_ONCE
        )
    written = 0
    outage: Unavailable | None = None
    for tenant_id, run_id in pending:
        try:
            await _write_end(resources, tenant_id, run_id)
            written += 1
        except KeysDestroyed:
            # Nothing of this tenant will ever be rebuilt.
            async with database.acquire(resources.pool) as conn:
                await store.manifests.due.mark_end_written(conn, tenant_id, run_id)
        except Refusal as refusal:
            logs.get().warning("end.pending", run_id=str(run_id), why=refusal.code)
            outage = refusal if isinstance(refusal, Unavailable) else outage
    if outage is not None and not written:
        raise outage
    return written


async def _write_end(resources: Resources, tenant_id: UUID, run_id: UUID) -> None:
    keys = await resources.keys.get(tenant_id)
    async with database.acquire(resources.pool) as conn:
        end = await store.manifests.due.find_end(conn, tenant_id, run_id)
        sealed_point = await store.proofs.find_sealed(conn, run_id)
        tally = await store.proofs.read_tally(conn, tenant_id)
    if point := open_seal(keys, tenant_id, end.plan_id, end.number, sealed_point):
        end = msgspec.structs.replace(end, root=point.root, chain=point.chain)
    writes = [bucket.seal_end(end, keys)]
    if tally is not None:
        writes.append(bucket.seal_tally(_describe(tally, keys, tenant_id), keys))
    await asyncio.gather(*(resources.objects.put(one.key, one.body) for one in writes))
    async with database.acquire(resources.pool) as conn:
        await store.manifests.due.mark_end_written(conn, tenant_id, run_id)
        outdated = 0
        if tally is not None:
            outdated = await store.proofs.mark_tallied(conn, tenant_id, tally.sequence)
    if outdated:
        await resources.objects.delete(bucket.key_of_tally(tenant_id, outdated))


def _describe(tally: store.proofs.PendingTally, keys: TenantKeys, tenant_id: UUID) -> bucket.Tally:
    plans = []
    for plan in tally.plans:
        point = open_seal(keys, tenant_id, plan.plan_id, plan.number, plan.sealed)
        plans.append(bucket.TallyPoint(plan.plan_id, plan.number, point.chain if point else None))
    return bucket.Tally(tenant_id=tenant_id, sequence=tally.sequence, plans=plans)
