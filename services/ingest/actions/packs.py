"""Packs: which chunks are wanted, and one upload from refusal to acknowledgement."""

from __future__ import annotations

from uuid import UUID

from libs.shared import clock, database, logs, packs, sealing
from libs.shared.catalogue import volumes
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.errors import InvalidRequest, Unavailable
from libs.shared.keys import TenantKeys
from services.ingest import rules, store
from services.ingest.actions.growth import grow
from services.ingest.actions.ingest import PACK_WAIT_SECONDS, Ingest
from services.ingest.actions.runs import use_run
from services.ingest.actions.uploads import Upload

MAX_IDS = 16_384


async def find_missing(ingest: Ingest, agent: rules.Agent, run_id: UUID, ids: bytes) -> bytes:
    """Returns a bitmap: bit i of byte i // 8, lowest first, is 1 if the tenant lacks chunk i.

    ids: up to 16,384 ids of 32 bytes, one after the other.
    """
    if len(ids) % 32 or len(ids) > MAX_IDS * 32:
        raise InvalidRequest(f"Send up to {MAX_IDS} chunk ids of 32 bytes, one after the other.")
    asked = rules.split_ids(ids)
    # The most frequent request of all: without a transaction it is two round trips shorter.
    async with database.acquire(ingest.pool) as conn:
        await use_run(ingest, conn, agent, run_id)
        present = await store.find_present(conn, agent.tenant_id, asked)
    bitmap = bytearray((len(asked) + 7) // 8)
    for place, chunk_id in enumerate(asked):
        if chunk_id not in present:
            bitmap[place >> 3] |= 1 << (place & 7)
    return bytes(bitmap)


async def store_pack(
    ingest: Ingest, agent: rules.Agent, run_id: UUID, pack_hex: str, upload: Upload
) -> tuple[bool, int]:
    """Takes one pack in; returns (whether it is new, its bytes in the store or 0).

    The body is received only once it is known to be wanted and there is room for it.
    """
    pack_id = bytes.fromhex(pack_hex)
    async with database.transaction(ingest.pool) as conn:
        await use_run(ingest, conn, agent, run_id)
        look = await store.look_at_pack(conn, agent.tenant_id, pack_id)
        volume = await volumes.read(conn, agent.tenant_id)
    if look.is_whole:
        await upload.discard()
        return False, 0
    rules.check_growth(
        agent.ceiling_bytes, agent.ceiling_reason, volume.stored_bytes, upload.size_bytes
    )
    object_bytes, chunks = await _put(ingest, agent.tenant_id, pack_hex, upload)
    async with database.transaction(ingest.pool) as conn:
        added = await _record(conn, agent, pack_id, object_bytes, chunks, look.snapshot)
    crashpoint("ingest.after_commit")
    logs.get().info("pack.stored", run_id=str(run_id), pack=pack_hex, bytes=object_bytes)
    return added, object_bytes


async def store_own_pack(ingest: Ingest, agent: rules.Agent, run_id: UUID, pack: packs.Pack) -> int:
    """Takes in a pack that was built here, like one that came; returns the bytes it adds."""
    pack_id = bytes.fromhex(pack.id)
    async with database.transaction(ingest.pool) as conn:
        await use_run(ingest, conn, agent, run_id)
        look = await store.look_at_pack(conn, agent.tenant_id, pack_id)
        volume = await volumes.read(conn, agent.tenant_id)
    if look.is_whole:
        return 0
    rules.check_growth(
        agent.ceiling_bytes, agent.ceiling_reason, volume.stored_bytes, len(pack.body)
    )
    keys = await ingest.keys.get(agent.tenant_id)
    object_bytes, chunks = await _seal_and_put(ingest, agent.tenant_id, pack.id, keys, pack.body)
    async with database.transaction(ingest.pool) as conn:
        added = await _record(conn, agent, pack_id, object_bytes, chunks, look.snapshot)
    logs.get().info("pack.stored", run_id=str(run_id), pack=pack.id, bytes=object_bytes)
    return object_bytes if added else 0


async def _put(
    ingest: Ingest, tenant_id: UUID, pack_hex: str, upload: Upload
) -> tuple[int, list[sealing.SealedChunk]]:
    """Receives, verifies, seals and stores; returns the object's bytes and where chunks lie."""
    keys = await ingest.keys.get(tenant_id)
    # Twice: the body and its sealed form are both held for a while.
    memory_bytes = 2 * upload.size_bytes
    async with ingest.pack_memory.hold(memory_bytes, PACK_WAIT_SECONDS):
        memory = ingest.buffers.take(upload.size_bytes)
        length = await upload.receive_quickly(memory)
        if length is not None:
            return await _seal_and_put_received(ingest, tenant_id, pack_hex, keys, memory, length)
        ingest.buffers.give(memory)
    await upload.receive_slowly()
    async with ingest.pack_memory.hold(memory_bytes, PACK_WAIT_SECONDS):
        memory = ingest.buffers.take(upload.size_bytes)
        length = await upload.load(memory)
        return await _seal_and_put_received(ingest, tenant_id, pack_hex, keys, memory, length)


async def _seal_and_put_received(
    ingest: Ingest,
    tenant_id: UUID,
    pack_hex: str,
    keys: TenantKeys,
    memory: memoryview,
    length: int,
) -> tuple[int, list[sealing.SealedChunk]]:
    body = memory[:length]
    stored = await _seal_and_put(ingest, tenant_id, pack_hex, keys, body)
    body.release()
    ingest.buffers.give(memory)
    return stored


async def _seal_and_put(
    ingest: Ingest, tenant_id: UUID, pack_hex: str, keys: TenantKeys, body: memoryview
) -> tuple[int, list[sealing.SealedChunk]]:
    sealed = await ingest.in_thread(_verify_and_seal, ingest, body, pack_hex, keys, tenant_id)
    crashpoint("ingest.before_put")
    await ingest.objects.put(_object_key(tenant_id, pack_hex), sealed.body)
    crashpoint("ingest.after_put")
    object_bytes = len(sealed.body)
    ingest.buffers.give(sealed.body)
    return object_bytes, sealed.chunks


def _verify_and_seal(
    ingest: Ingest, body: memoryview, pack_hex: str, keys: TenantKeys, tenant_id: UUID
) -> sealing.SealedPack:
    chunks = packs.verify(body, pack_hex, keys.chunk_key)
    pack_id = bytes.fromhex(pack_hex)
    return sealing.seal(body, chunks, keys, tenant_id, pack_id, ingest.buffers.take)


def _object_key(tenant_id: UUID, pack_hex: str) -> str:
    return f"t/{tenant_id}/packs/{pack_hex[:2]}/{pack_hex}"


async def _record(
    conn: Connection,
    agent: rules.Agent,
    pack_id: bytes,
    object_bytes: int,
    chunks: list[sealing.SealedChunk],
    snapshot: str,
) -> bool:
    """Writes a stored pack down; False if that was done already.

    snapshot: taken before the object was put; a deletion that it doesn't see the end of may
    have taken the object away again, and the agent must send it once more.
    What is refused here leaves an object that no row names.
    """
    tenant_id = agent.tenant_id
    pack_no, added_bytes = await store.put_pack(
        conn, tenant_id, pack_id, object_bytes, len(chunks), clock.now()
    )
    if await store.is_being_removed(conn, tenant_id, pack_id, snapshot):
        raise Unavailable("place of this pack, which is being cleared,", 5)
    await store.add_chunks(conn, tenant_id, pack_no, chunks)
    if not added_bytes:
        return False
    await grow(conn, agent, added_bytes)
    return True
