"""The audit's second half: what can safely be done about a disagreement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import bucket, database, logs, sealing
from libs.shared.catalogue import volumes
from services.retention import store
from services.retention.actions.audit.comparing import compare_tenant
from services.retention.actions.collection.packs import remove_objects
from services.retention.actions.collection.strays import sweep_strays
from services.retention.actions.parts import sweep_parts
from services.retention.actions.resources import Resources
from services.retention.actions.scrubbing import check_pack, report_damage
from services.retention.rules.audit import Disagreement


async def audit_tenant(
    resources: Resources, tenant_id: UUID, now: datetime, store_now: datetime, *, repair: bool
) -> AsyncIterator[Disagreement]:
    """Yields each disagreement about a tenant, repaired where that is asked for and possible.

    Repairing never makes anything unreadable: damage is written down so that it is sent again,
    sums are summed anew, strays go as the sweeper would have taken them.
    """
    found = [one async for one in compare_tenant(resources, tenant_id, now, store_now)]
    for disagreement in found:
        done = ""
        if repair:
            done = await _repair(resources, disagreement, now, store_now)
            logs.get().warning(
                "audit.repaired" if done else "audit.unrepaired",
                tenant_id=str(tenant_id),
                kind=disagreement.kind,
                what=disagreement.sentence,
                done=done,
            )
        yield replace(disagreement, repaired=done)


async def _repair(
    resources: Resources, found: Disagreement, now: datetime, store_now: datetime
) -> str:
    """Returns what was done about a disagreement; empty where nothing can be."""
    if found.kind == "object-without-row":
        swept = await sweep_strays(resources, found.tenant_id, now, store_now)
        return f"Deleted with the {swept} strays of this client." if swept else "Is gone."
    if found.kind == "part-that-nothing-needs":
        swept = await sweep_parts(resources, found.tenant_id, now, store_now, again=True)
        return f"Deleted with the {swept} such parts of this client." if swept else "Is gone."
    if found.kind == "removal-not-ended":
        return f"Deleted {await remove_objects(resources, found.tenant_id, now)} objects."
    repair = _REPAIRS.get(found.kind)
    return await repair(resources, found, now) if repair else ""


async def _forget_homeless(resources: Resources, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(resources.pool) as conn:
        gone = await store.audit.remove_homeless_chunks(conn, found.tenant_id)
    return f"Forgot {gone} such chunks: they will be asked for again." if gone else "Is gone."


async def _write_damage(resources: Resources, found: Disagreement, now: datetime) -> str:
    async with database.acquire(resources.pool) as conn:
        pack = await store.audit.find_pack(conn, found.tenant_id, found.pack_id)
        if pack is None:
            return "Is gone."
        listed = await store.collection.packs.list_chunks(conn, found.tenant_id, [pack.pack_no])
    keys = await resources.keys.get(found.tenant_id)
    finding = await check_pack(resources, keys, pack, [chunk for _, chunk in listed])
    if finding is None:
        return "Was stored anew meanwhile."
    if await report_damage(resources, pack, finding, now):
        return "Marked as damaged: its chunks will be asked for again; the hotline is told."
    return ""


async def _place_chunks(resources: Resources, found: Disagreement, now: datetime) -> str:
    """Corrects rows by the pack's own index; where that can't be read, the pack is damaged."""
    keys = await resources.keys.get(found.tenant_id)
    body = await resources.objects.get(bucket.key_of_pack(found.tenant_id, found.pack_id))
    try:
        index = sealing.open_index(body, keys, found.tenant_id, found.pack_id)
    except sealing.SealBroken:
        return await _write_damage(resources, found, now)
    async with database.transaction(resources.pool) as conn:
        pack = await store.audit.find_pack(conn, found.tenant_id, found.pack_id)
        if pack is None:
            return "Is gone."
        placed = await store.audit.place_chunks(conn, found.tenant_id, pack.pack_no, index)
    return f"Took the places of its {placed} chunks from its own index."


async def _resurrect(resources: Resources, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(resources.pool) as conn:
        pack = await store.audit.find_pack(conn, found.tenant_id, found.pack_id)
        numbers = [] if pack is None else [pack.pack_no]
        locked = await store.collection.packs.lock_packs(
            conn, found.tenant_id, numbers, "condemned"
        )
        regained = await store.collection.packs.resurrect_packs(conn, found.tenant_id, locked)
        await volumes.change(conn, found.tenant_id, regained, 0)
    return "Its condemnation was taken back." if locked else ""


async def _sum_anew(resources: Resources, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        volume, was_another = await volumes.sum_anew(conn, found.tenant_id)
    if not was_another:
        return "Is right by now."
    return f"Set to {volume.stored_bytes} stored and {volume.protected_bytes} protected bytes."


_REPAIRS: Mapping[str, Callable[[Resources, Disagreement, datetime], Awaitable[str]]] = {
    "row-without-object": _write_damage,
    "object-of-another-size": _write_damage,
    "chunk-outside-its-pack": _place_chunks,
    "chunk-without-pack": _forget_homeless,
    "needed-but-condemned": _resurrect,
    "volume-not-the-sum": _sum_anew,
    "protected-not-the-sum": _sum_anew,
}
