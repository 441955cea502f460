"""The catalogue made anew from bucket and master key alone (docs/decisions/0013)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from uuid import UUID

from libs.shared import bucket, clock, database, logs
from libs.shared.catalogue import volumes
from libs.shared.keys import KeysDestroyed, KeysUnreadable, TenantKeys
from services.ingest import rules, store
from services.ingest.actions.rebuild import fetching
from services.ingest.actions.rebuild.gathering import gather
from services.ingest.actions.rebuild.replaying import write_plan
from services.ingest.actions.rebuild.resealing import count_back
from services.ingest.actions.resources import Resources

_SAY_EVERY = 500


@dataclass
class Rebuilt:
    """What came back of a tenant, and each thing that did not, in words."""

    tenant_id: UUID
    was_done: bool = False
    packs: int = 0
    chunks: int = 0
    plans: int = 0
    points: int = 0
    points_left_out: int = 0
    versions_gone: int = 0
    stored_bytes: int = 0
    protected_bytes: int = 0
    troubles: list[str] = field(default_factory=list)


async def rebuild(
    resources: Resources, only: UUID | None, *, verify: bool, say: Callable[[str], None]
) -> list[Rebuilt]:
    """Rebuilds all tenants that have anything in the bucket, or one of them.

    verify: opens every chunk of every pack, rather than the packs' indexes.
    Raises CatalogueOccupied where the catalogue has what no rebuild brought. What a rebuild that
    was cut short had finished is not done again.
    """
    async with database.session(resources.pool) as conn:
        if not await store.rebuild.lock_rebuild(conn):
            raise rules.refusals.RebuildGoesOn
        occupied = await store.rebuild.list_occupied(conn)
        if occupied and (only is None or only in occupied):
            raise rules.refusals.CatalogueOccupied(occupied)
        tenants = [only] if only is not None else await fetching.list_tenants(resources)
        return [
            await _rebuild_tenant(resources, tenant_id, verify=verify, say=say)
            for tenant_id in tenants
        ]


async def _rebuild_tenant(
    resources: Resources, tenant_id: UUID, *, verify: bool, say: Callable[[str], None]
) -> Rebuilt:
    rebuilt = Rebuilt(tenant_id)
    try:
        keys = await resources.keys.get(tenant_id)
    except KeysDestroyed:
        rebuilt.troubles.append(
            f"{bucket.key_of_keys(tenant_id)} is missing: nothing of it can be read"
        )
        return rebuilt
    except KeysUnreadable as trouble:
        rebuilt.troubles.append(f"{bucket.key_of_keys(tenant_id)}: {trouble}")
        return rebuilt
    async with database.acquire(resources.pool) as conn:
        if not await store.rebuild.start_rebuild(conn, tenant_id, clock.now()):
            rebuilt.was_done = True
            return rebuilt
    say(f"{tenant_id}: packs")
    await _take_packs(resources, keys, rebuilt, verify=verify, say=say)
    for found in await fetching.list_runs(resources, tenant_id):
        say(f"{tenant_id}: plan {found.plan_id}")
        await _take_plan(resources, keys, found, rebuilt)
    last_tally, gone = await count_back(resources, tenant_id, keys)
    rebuilt.troubles += gone
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        # Milliseconds since 1970: more than any count of changes, and than an earlier rebuild's.
        sequence = int(clock.now().timestamp() * 1000)
        volume, _ = await volumes.sum_anew(conn, tenant_id, least_sequence=sequence)
        await store.proofs.begin_tally(conn, tenant_id, max(sequence, last_tally + 1), last_tally)
        await store.rebuild.finish_rebuild(conn, tenant_id, clock.now())
    rebuilt.stored_bytes, rebuilt.protected_bytes, _ = volume
    logs.get().info(
        "tenant.rebuilt",
        tenant_id=str(tenant_id),
        packs=rebuilt.packs,
        plans=rebuilt.plans,
        troubles=len(rebuilt.troubles),
    )
    return rebuilt


async def _take_packs(
    resources: Resources,
    keys: TenantKeys,
    rebuilt: Rebuilt,
    *,
    verify: bool,
    say: Callable[[str], None],
) -> None:
    async for pack in fetching.read_packs(resources, rebuilt.tenant_id, keys, verify=verify):
        if isinstance(pack, bucket.Unreadable):
            rebuilt.troubles.append(str(pack))
            continue
        await _add_pack(resources, rebuilt.tenant_id, pack, verify=verify)
        if pack.is_damaged:
            rebuilt.troubles.append(f"pack {pack.pack_id.hex()} has damaged chunks")
        rebuilt.packs += 1
        rebuilt.chunks += len(pack.chunks)
        if rebuilt.packs % _SAY_EVERY == 0:
            say(f"{rebuilt.tenant_id}: {rebuilt.packs} packs, {rebuilt.chunks} chunks")


async def _add_pack(
    resources: Resources, tenant_id: UUID, pack: fetching.StoredPack, *, verify: bool
) -> None:
    """Stored now, as far as a collection is concerned; verified when it was put, or now."""
    now = clock.now()
    verified_at = now if verify else min(pack.stored_at + clock.offset(), now)
    async with database.transaction(resources.pool) as conn:
        number = await store.rebuild.put_stored_pack(
            conn,
            tenant_id,
            pack.pack_id,
            pack.object_bytes,
            len(pack.chunks),
            now,
            verified_at,
            now if pack.is_damaged else None,
        )
        if number is not None:
            await store.intake.packs.add_chunks(conn, tenant_id, number, pack.chunks)


async def _take_plan(
    resources: Resources, keys: TenantKeys, found: bucket.RunObjects, rebuilt: Rebuilt
) -> None:
    async with database.acquire(resources.pool) as conn:
        if await store.rebuild.is_plan_known(conn, rebuilt.tenant_id, found.plan_id):
            rebuilt.plans += 1
            return
    gathered = await gather(resources, rebuilt.tenant_id, keys, found)
    with closing(gathered.file):
        written = await write_plan(resources, keys, gathered)
    rebuilt.troubles += gathered.troubles
    rebuilt.versions_gone += gathered.gone.count
    rebuilt.troubles += [
        f"{path[:300].decode('utf-8', 'backslashreplace')!r} of plan {found.plan_id}"
        " has lost its content"
        for path in gathered.gone.current
    ]
    if written is not None:
        rebuilt.plans += 1
        rebuilt.points += written.points
        rebuilt.points_left_out += written.points_left_out


def compare(expected: Sequence[str], actual: Sequence[str]) -> list[str]:
    """Says in words how lines of `fingerprint` differ from those that were kept."""
    found = {line.split()[0]: line for line in actual if line.strip()}
    wanted = {line.split()[0]: line for line in expected if line.strip()}
    differences = [
        f"{tenant} is not as it was:\n  was {line}\n  is  {found.get(tenant, 'missing')}"
        for tenant, line in wanted.items()
        if found.get(tenant, "").strip() != line.strip()
    ]
    return differences + [f"{tenant} was not there" for tenant in found if tenant not in wanted]


def describe_rebuilt(rebuilt: Rebuilt) -> str:
    """What came of a tenant, as lines for a person; each trouble is one."""
    if rebuilt.was_done:
        return f"{rebuilt.tenant_id}: was rebuilt before; nothing was done."
    first = (
        f"{rebuilt.tenant_id}: {rebuilt.plans} plans, {rebuilt.points} restore points,"
        f" {rebuilt.packs} packs with {rebuilt.chunks} chunks; {rebuilt.stored_bytes} bytes stored,"
        f" {rebuilt.protected_bytes} protected."
    )
    lines = [first]
    if rebuilt.versions_gone or rebuilt.points_left_out:
        lines.append(
            f"  Left out: {rebuilt.versions_gone} versions whose chunks are gone,"
            f" {rebuilt.points_left_out} restore points that would not be whole."
        )
    return "\n".join(lines + [f"  Trouble: {trouble}" for trouble in rebuilt.troubles])
