"""The audit's second half: what can safely be done about a disagreement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import bucket, database, logs, sealing
from libs.shared.catalogue import volumes
from services.retention import store
from services.retention.actions.collection import remove_objects
from services.retention.actions.comparing import compare_tenant
from services.retention.actions.keeper import Keeper
from services.retention.actions.parts import sweep_parts
from services.retention.actions.scrubbing import check_pack, report_damage
from services.retention.actions.strays import sweep_strays
from services.retention.rules import Disagreement


async def audit_tenant(
    keeper: Keeper, tenant_id: UUID, now: datetime, store_now: datetime, *, repair: bool
) -> AsyncIterator[Disagreement]:
    """Yields each disagreement about a tenant, repaired where that is asked for and possible.

    Repairing never makes anything unreadable: damage is written down so that it is sent again,
    sums are summed anew, strays go as the sweeper would have taken them.
    """
    found = [one async for one in compare_tenant(keeper, tenant_id, now, store_now)]
    for disagreement in found:
        done = ""
        if repair:
            done = await _repair(keeper, disagreement, now, store_now)
            logs.get().warning(
                "audit.repaired" if done else "audit.unrepaired",
                tenant_id=str(tenant_id),
                kind=disagreement.kind,
                what=disagreement.sentence,
                done=done,
            )
        yield replace(disagreement, repaired=done)


async def _repair(keeper: Keeper, found: Disagreement, now: datetime, store_now: datetime) -> str:
    """Returns what was done about a disagreement; empty where nothing can be."""
    if found.kind == "object-without-row":
        swept = await sweep_strays(keeper, found.tenant_id, now, store_now)
        return f"Deleted with the {swept} strays of this client." if swept else "Is gone."
    if found.kind == "part-that-nothing-needs":
        swept = await sweep_parts(keeper, found.tenant_id, now, store_now, again=True)
        return f"Deleted with the {swept} such parts of this client." if swept else "Is gone."
    if found.kind == "removal-not-ended":
        return f"Deleted {await remove_objects(keeper, found.tenant_id, now)} objects."
    repair = _REPAIRS.get(found.kind)
    return await repair(keeper, found, now) if repair else ""


async def _forget_homeless(keeper: Keeper, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(keeper.pool) as conn:
        gone = await store.remove_homeless_chunks(conn, found.tenant_id)
    return f"Forgot {gone} such chunks: they will be asked for again." if gone else "Is gone."


async def _write_damage(keeper: Keeper, found: Disagreement, now: datetime) -> str:
    async with database.acquire(keeper.pool) as conn:
        pack = await store.find_pack(conn, found.tenant_id, found.pack_id)
        if pack is None:
            return "Is gone."
        listed = await store.list_chunks(conn, found.tenant_id, [pack.pack_no])
    keys = await keeper.keys.get(found.tenant_id)
    finding = await check_pack(keeper, keys, pack, [chunk for _, chunk in listed])
    if finding is None:
        return "Was stored anew meanwhile."
    if await report_damage(keeper, pack, finding, now):
        return "Marked as damaged: its chunks will be asked for again; the hotline is told."
    return ""


async def _place_chunks(keeper: Keeper, found: Disagreement, now: datetime) -> str:
    """Corrects rows by the pack's own index; where that can't be read, the pack is damaged."""
    keys = await keeper.keys.get(found.tenant_id)
    body = await keeper.objects.get(bucket.key_of_pack(found.tenant_id, found.pack_id))
    try:
        index = sealing.open_index(body, keys, found.tenant_id, found.pack_id)
    except sealing.SealBroken:
        return await _write_damage(keeper, found, now)
    async with database.transaction(keeper.pool) as conn:
        pack = await store.find_pack(conn, found.tenant_id, found.pack_id)
        if pack is None:
            return "Is gone."
        placed = await store.place_chunks(conn, found.tenant_id, pack.pack_no, index)
    return f"Took the places of its {placed} chunks from its own index."


async def _resurrect(keeper: Keeper, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(keeper.pool) as conn:
        pack = await store.find_pack(conn, found.tenant_id, found.pack_id)
        numbers = [] if pack is None else [pack.pack_no]
        locked = await store.lock_packs(conn, found.tenant_id, numbers, "condemned")
        regained = await store.resurrect_packs(conn, found.tenant_id, locked)
        await volumes.change(conn, found.tenant_id, regained, 0)
    return "Its condemnation was taken back." if locked else ""


async def _sum_anew(keeper: Keeper, found: Disagreement, _now: datetime) -> str:
    async with database.transaction(keeper.pool) as conn:
        await store.allow_long_statements(conn)
        volume, was_another = await volumes.sum_anew(conn, found.tenant_id)
    if not was_another:
        return "Is right by now."
    return f"Set to {volume.stored_bytes} stored and {volume.protected_bytes} protected bytes."


_REPAIRS: Mapping[str, Callable[[Keeper, Disagreement, datetime], Awaitable[str]]] = {
    "row-without-object": _write_damage,
    "object-of-another-size": _write_damage,
    "chunk-outside-its-pack": _place_chunks,
    "chunk-without-pack": _forget_homeless,
    "needed-but-condemned": _resurrect,
    "volume-not-the-sum": _sum_anew,
    "protected-not-the-sum": _sum_anew,
}
