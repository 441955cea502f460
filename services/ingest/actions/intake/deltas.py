"""A run's delta: batches of entries taken in, and kept until the commit."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from uuid import UUID

from libs.shared import batches, bucket, clock, logs, sealing
from libs.shared.batches import Faults
from libs.shared.database import Connection
from libs.shared.entries import FolderDelta
from libs.shared.errors import InvalidRequest, Unavailable
from libs.shared.keys import TenantKeys
from services.ingest import rules, store
from services.ingest.actions.agents import check_again
from services.ingest.actions.resources import WAIT_SECONDS, Resources
from services.ingest.actions.runs.holding import use_run
from services.ingest.actions.usage import use

MAX_BATCHES = 100_000
_IDS_AT_ONCE = 16_384
_LOOKS = 10


async def take_batch(
    resources: Resources, agent: rules.agents.Agent, run_id: UUID, number: int, body: bytearray
) -> Faults:
    """Checks one batch of an open run's delta and keeps it; the same number again replaces it.

    Returns what of it is refused: all else is kept, as if the batch had come without.
    """
    if not 0 <= number < MAX_BATCHES:
        raise InvalidRequest(f"A run has batches 0 to {MAX_BATCHES - 1}.")
    async with resources.transaction(agent.tenant_id) as conn:
        run = await use_run(resources, conn, agent, run_id)
    tenant_id = agent.tenant_id
    keys = await resources.keys.get(tenant_id)
    async with resources.batches.hold(tenant_id, 1, WAIT_SECONDS):
        deltas, faults, ids = await resources.in_thread(tenant_id, _unpack, body)
        async with resources.acquire(tenant_id) as conn:
            facts = await find_facts(conn, agent.tenant_id, ids)
            pack_nos = sorted({fact.pack_no for fact in facts.values()})
            new = await store.intake.packs.find_new(
                conn, tenant_id, run.plan_id, run.parent, pack_nos
            )
        crc32s = await resources.in_thread(tenant_id, _check, deltas, facts, keys, faults)
        sent = count = batches.count_entries(deltas)
        if faults:
            deltas = batches.without(deltas, faults)
            count = batches.count_entries(deltas)
            body = bytearray(await resources.in_thread(tenant_id, batches.encode_batch, deltas))
        came = [fact for fact in facts.values() if fact.pack_no in new]
        new_bytes = sum(fact.size for fact in came)
        packed_bytes = sum(min(fact.packed, fact.size) for fact in came)
        del deltas, ids, facts, came
    digest = hashlib.sha256(body).digest()
    key = bucket.key_of_part(run.tenant_id, run.plan_id, run.number, number, digest.hex())
    sealed = await resources.in_thread(tenant_id, bucket.seal_object, body, keys, key)
    await resources.objects.put(key, sealed)
    batch = store.intake.deltas.Batch(number, count, key, digest, pack_nos, new_bytes, packed_bytes)
    async with resources.transaction(tenant_id) as conn:
        if not await store.intake.deltas.put_batch(
            conn, agent.tenant_id, run_id, batch, crc32s, bytes(body)
        ):
            closed = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
            assert closed is not None
            raise rules.refusals.RunClosed(closed.state, closed.reason)
        await use(conn, tenant_id, "entries", sent, clock.now())
        await check_again(conn, agent)
    logs.get().info("batch.taken", run_id=str(run_id), batch=number, entries=count)
    if faults:
        logs.get().warning("entries.refused", run_id=str(run_id), batch=number, refused=len(faults))
    return faults


def _unpack(body: bytes | bytearray) -> tuple[list[FolderDelta], Faults, list[bytes]]:
    deltas = batches.decode_foreign_batch(body)
    faults = batches.find_faults(deltas)
    kept = batches.without(deltas, faults)
    rules.intake.list_folders(delta.folder for delta in kept)
    return deltas, faults, rules.intake.list_chunk_ids(kept)


def _check(
    deltas: list[FolderDelta],
    facts: dict[bytes, store.intake.packs.ChunkFacts],
    keys: TenantKeys,
    faults: Faults,
) -> bytes:
    plain = rules.intake.check_chunks(deltas, unmask(facts, keys), faults)
    kept = batches.without(deltas, faults)
    chunks = (entry.chunks for delta in kept for entry in delta.upserts)
    crc32s = array("I", (sealing.mask_crc32(keys, *one) for one in zip(chunks, plain, strict=True)))
    crc32s.byteswap()
    return crc32s.tobytes()


async def find_facts(
    conn: Connection, tenant_id: UUID, ids: Sequence[bytes]
) -> dict[bytes, store.intake.packs.ChunkFacts]:
    """What is known of each chunk that the tenant has."""
    facts: dict[bytes, store.intake.packs.ChunkFacts] = {}
    for at in range(0, len(ids), _IDS_AT_ONCE):
        facts.update(
            await store.intake.packs.find_chunk_facts(conn, tenant_id, ids[at : at + _IDS_AT_ONCE])
        )
    return facts


def unmask(
    facts: Mapping[bytes, store.intake.packs.ChunkFacts], keys: TenantKeys
) -> dict[bytes, store.intake.packs.ChunkFacts]:
    """What is known of chunks, with the CRC-32 of each one's content in clear."""
    return {
        chunk_id: one._replace(crc32=sealing.mask_crc32(keys, chunk_id, one.crc32))
        for chunk_id, one in facts.items()
    }


async def hold_packs(
    resources: Resources,
    conn: Connection,
    run: rules.runs.Run,
    batches: Sequence[store.intake.deltas.Batch],
) -> int:
    """Sees to it that no pack which the delta needs goes away; returns bytes stored again.

    Raises ChunksMissing where chunks went away since their batch was taken.
    """
    wanted = sorted({number for batch in batches for number in batch.pack_nos})
    held = await store.intake.packs.hold(conn, run.tenant_id, wanted)
    stale = [batch for batch in batches if not held.trusted.issuperset(batch.pack_nos)]
    locked, discounted = held.locked, held.discounted
    resurrected_bytes = held.resurrected_bytes
    # Rare: collected or repacked since. What matters is whether the chunks are anywhere, and
    # that where they are now is locked before they were seen there.
    for _ in range(_LOOKS if stale else 0):
        found = await _find_packs(resources, conn, run, stale)
        if found <= locked:
            break
        held = await store.intake.packs.hold(conn, run.tenant_id, sorted(found - locked))
        locked |= held.locked
        discounted |= held.discounted
        resurrected_bytes += held.resurrected_bytes
    else:
        if stale:
            raise Unavailable("catalogue, whose packs keep moving,")
    if discounted:
        resurrected_bytes += await _count_again(
            resources,
            conn,
            run,
            [one for one in batches if one in stale or discounted.intersection(one.pack_nos)],
        )
    return resurrected_bytes


async def _count_again(
    resources: Resources,
    conn: Connection,
    run: rules.runs.Run,
    batches: Sequence[store.intake.deltas.Batch],
) -> int:
    """Counts what these batches need of what had been dropped; returns its bytes."""
    lifted = 0
    for batch in batches:
        body, _ = await store.intake.deltas.read_batch(conn, run.run_id, batch.batch)
        _, _, ids = await resources.in_thread(run.tenant_id, _unpack, body)
        for at in range(0, len(ids), _IDS_AT_ONCE):
            part = ids[at : at + _IDS_AT_ONCE]
            lifted += await store.intake.packs.lift_discounts(conn, run.tenant_id, part)
    return lifted


async def _find_packs(
    resources: Resources,
    conn: Connection,
    run: rules.runs.Run,
    batches: Sequence[store.intake.deltas.Batch],
) -> set[int]:
    """Returns the packs in which these batches' chunks lie now; raises ChunksMissing."""
    missing: set[bytes] = set()
    found: set[int] = set()
    for batch in batches:
        body, _ = await store.intake.deltas.read_batch(conn, run.run_id, batch.batch)
        _, _, ids = await resources.in_thread(run.tenant_id, _unpack, body)
        facts = await find_facts(conn, run.tenant_id, ids)
        missing.update(chunk_id for chunk_id in ids if chunk_id not in facts)
        found.update(fact.pack_no for fact in facts.values())
    if missing:
        raise rules.refusals.ChunksMissing(missing)
    return found
