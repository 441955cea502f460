"""Packs: which chunks are wanted, and one upload from refusal to acknowledgement."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple
from uuid import UUID

from prometheus_client import Counter

from libs.shared import bucket, catalogue, clock, logs, packs, sealing
from libs.shared.catalogue import volumes
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.entries import CHUNK_ID_BYTES, split_ids
from libs.shared.errors import InvalidRequest, Unavailable
from libs.shared.keys import TenantKeys
from services.ingest import rules, store
from services.ingest.actions.intake.growth import grow
from services.ingest.actions.intake.uploads import BuiltBody, Upload
from services.ingest.actions.resources import Resources
from services.ingest.actions.runs.holding import check_open, use_run, use_run_and_look
from services.ingest.actions.usage import use

MAX_IDS = 16_384

_STORED = Counter("coffre_packs_stored_bytes", "Bytes of packs that were put into the store")


class Stored(NamedTuple):
    """What an upload came to: did it put the pack there, and what that adds to the volume.

    One that replaces a damaged object is new and adds nothing.
    """

    is_new: bool
    stored_bytes: int


async def find_missing(
    resources: Resources, agent: rules.agents.Agent, run_id: UUID, ids: bytes
) -> bytes:
    """Returns a bitmap: bit i of byte i // 8, lowest first, is 1 if the tenant lacks chunk i.

    ids: up to 16,384 ids of 32 bytes, one after the other.
    """
    if len(ids) % CHUNK_ID_BYTES or len(ids) > MAX_IDS * CHUNK_ID_BYTES:
        raise InvalidRequest(
            f"Send up to {MAX_IDS} chunk ids of {CHUNK_ID_BYTES} bytes, one after the other."
        )
    asked = split_ids(ids)
    # The most frequent request of all: without a transaction it is two round trips shorter.
    async with resources.acquire(agent.tenant_id) as conn:
        missing = await use_run_and_look(resources, conn, agent, run_id, asked)
    bitmap = bytearray((len(asked) + 7) // 8)
    for place in missing:
        bitmap[place >> 3] |= 1 << (place & 7)
    return bytes(bitmap)


async def take_pack(
    resources: Resources,
    agent: rules.agents.Agent,
    run_id: UUID,
    pack_hex: str,
    body: Upload | BuiltBody,
) -> Stored:
    """Takes one pack in, from its refusal to its acknowledgement; again, it changes nothing.

    The body is received only once it is known to be wanted and there is room for it; where some
    of the tenant's is damaged, only the chunks in it tell whether it needs any.
    Raises refusals of the run, of growth and of the pack, BodyTooLarge, Unavailable.
    """
    tenant_id, pack_id = agent.tenant_id, bytes.fromhex(pack_hex)
    async with resources.transaction(tenant_id) as conn:
        await use_run(resources, conn, agent, run_id)
        look = await store.intake.packs.look_at(conn, tenant_id, pack_id)
        volume = await volumes.read(conn, tenant_id)
    if look.is_whole:
        await body.discard()
        return Stored(is_new=False, stored_bytes=0)
    check_growth = partial(
        rules.agents.check_growth, agent.ceiling_bytes, agent.ceiling_reason, volume.stored_bytes
    )
    if not look.has_damage:
        check_growth(body.size_bytes)
    keys = await resources.keys.get(tenant_id)
    async with body.held(resources, tenant_id) as content:
        frames = await _verify(resources, tenant_id, content, pack_hex, keys)
        if look.has_damage:
            sizes = {chunk.chunk_id: chunk.size for frame in frames for chunk in frame.chunks}
            async with resources.acquire(tenant_id) as conn:
                damaged = await store.intake.packs.find_damaged(conn, tenant_id, list(sizes))
            check_growth(rules.intake.weigh_growth(body.size_bytes, sizes, damaged))
        with resources.buffers.lend() as take:
            sealed = await resources.in_thread(
                tenant_id, sealing.seal, content, frames, keys, tenant_id, pack_id, take
            )
            object_bytes = len(sealed.body)
            crashpoint("ingest.before_put")
            await resources.objects.put(bucket.key_of_pack(tenant_id, pack_id), sealed.body)
            crashpoint("ingest.after_put")
    async with resources.transaction(tenant_id) as conn:
        stored = await _record(conn, agent, pack_id, object_bytes, sealed.chunks, look)
        await check_open(conn, agent, run_id)
    crashpoint("ingest.after_commit")
    if stored.is_new:
        _STORED.inc(object_bytes)
        logs.get().info("pack.stored", run_id=str(run_id), pack=pack_hex, bytes=object_bytes)
    return stored


async def _verify(
    resources: Resources, tenant_id: UUID, body: memoryview, pack_hex: str, keys: TenantKeys
) -> list[packs.VerifiedFrame]:
    """Checks a pack to its last byte, slice by slice: between two of them others get a turn.

    Packs that swell cost much and say little; all of them together have half a processor.
    """
    verification = packs.Verification(body, pack_hex, keys.chunk_keys)
    await resources.in_thread(tenant_id, verification.begin)
    swells = verification.swells
    async with resources.swelling.hold(tenant_id) if swells else nullcontext():
        while not verification.is_done:
            began = time.monotonic()
            await resources.in_thread(tenant_id, verification.go_on)
            if swells:
                await asyncio.sleep(time.monotonic() - began)
    return verification.frames


async def _record(
    conn: Connection,
    agent: rules.agents.Agent,
    pack_id: bytes,
    object_bytes: int,
    chunks: list[sealing.SealedChunk],
    look: store.intake.packs.Look,
) -> Stored:
    """Writes a stored pack down, unless somebody else just has.

    look: taken before the object was put; a deletion that its snapshot doesn't see the end of
    may have taken the object away again, and the agent must send it once more.
    What is refused here leaves an object that no row names.
    """
    tenant_id = agent.tenant_id
    sizes, damaged = dict[bytes, int](), set[bytes]()
    if look.has_damage:
        # Two at once may both bring what was damaged: what the second adds is soon collected.
        sizes = {chunk.chunk_id: chunk.size for chunk in chunks}
        damaged = await store.intake.packs.find_damaged(conn, tenant_id, list(sizes))
    put = await store.intake.packs.put(
        conn, tenant_id, pack_id, object_bytes, len(chunks), clock.now()
    )
    if await catalogue.is_being_removed(conn, tenant_id, pack_id, look.snapshot):
        raise Unavailable("place of this pack, which is being cleared,", 5)
    await store.intake.packs.add_chunks(conn, tenant_id, put.pack_no, chunks)
    if put.is_new:
        await use(conn, tenant_id, "packs", 1, clock.now())
    if put.added_bytes:
        growth_bytes = rules.intake.weigh_growth(put.added_bytes, sizes, damaged)
        await grow(conn, agent, put.added_bytes, growth_bytes)
    return Stored(put.is_new, put.added_bytes)
