"""Repacking: what is needed of packs that are mostly dead moves together into new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.shared import bucket, catalogue, database, logs, packs, sealing
from libs.shared.catalogue import volumes
from libs.shared.crashpoints import crashpoint
from libs.shared.keys import TenantKeys
from libs.shared.objects import ObjectMissing
from libs.shared.sealing import SealedChunk
from services.retention import rules, store
from services.retention.actions.collection.packs import Collected, Marked, check_newest, lock_unheld
from services.retention.actions.resources import Resources


class _Crossed(Exception):  # noqa: N818 - named after what happened
    """Somebody else was about the same packs: the next mark will see further."""


async def repack(resources: Resources, marked: Marked, now: datetime) -> Collected:
    """Copies what the mark found needed of sparse packs into full ones, and condemns the old.

    A source that turns out to be damaged or missing is named in `failed` and left to scrubbing.
    """
    done = Collected()
    sources = {usage.pack_no: usage for usage in marked.packs.get("repack", [])}
    needs = [_measure(pack_no, marked.needed.get(pack_no, ())) for pack_no in sources]
    for group in rules.collection.choose_groups(needs, packs.TARGET_PACK_BYTES):
        usages = [sources[need.pack_no] for need in group]
        try:
            freed = await _repack_group(resources, marked, usages, now)
        except _Crossed:
            continue
        except (
            sealing.SealBroken,
            packs.PayloadInvalid,
            packs.PackRejected,
            ObjectMissing,
        ) as broken:
            done.failed.append(f"{type(broken).__name__}: {broken}")
            logs.get().warning("repack.failed", why=repr(broken))
            continue
        done.repacked += len(group)
        done.freed_bytes += freed
    return done


def _measure(pack_no: int, chunks: Sequence[SealedChunk]) -> rules.collection.Need:
    sealed = plain = 0
    for held in packs.by_frame(chunks):
        size = sum([chunk.size for chunk in held])
        # What is left of a frame may be all of it that could not be compressed.
        sealed += min(held[0].length, size + sealing.SEAL_OVERHEAD_BYTES)
        plain += size
    return rules.collection.Need(pack_no, sealed, plain, len(chunks))


async def _repack_group(
    resources: Resources, marked: Marked, group: Sequence[rules.collection.Usage], now: datetime
) -> int:
    """One new pack in place of several; returns the bytes saved. Raises _Crossed, MarkOutdated.

    Like an upload: bytes first, then rows; what a crash leaves between is a stray object.
    """
    tenant_id = marked.mark.tenant_id
    keys = await resources.keys.get(tenant_id)
    async with database.transaction(resources.pool) as conn:
        await check_newest(conn, marked.mark)
        snapshot = await store.collection.marks.read_snapshot(conn)
    builder = packs.PackBuilder()
    for usage in group:
        body = await resources.objects.get(bucket.key_of_pack(tenant_id, usage.pack_id))
        needed = marked.needed[usage.pack_no]
        await asyncio.to_thread(_take, builder, tenant_id, keys, usage.pack_id, body, needed)
        del body
    pack_id, sealed = await asyncio.to_thread(_seal, builder, tenant_id, keys)
    await resources.objects.put(bucket.key_of_pack(tenant_id, pack_id), sealed.body)
    crashpoint("retention.after_put")
    sources = [one.pack_no for one in group]
    async with database.transaction(resources.pool) as conn:
        await check_newest(conn, marked.mark)
        if await lock_unheld(conn, marked.mark, sources, "live") != sources:
            raise _Crossed
        pack_no = await catalogue.add_pack(
            conn, tenant_id, pack_id, len(sealed.body), len(sealed.chunks), now
        )
        if pack_no is None or await catalogue.is_being_removed(conn, tenant_id, pack_id, snapshot):
            raise _Crossed
        await store.collection.packs.move_chunks(conn, tenant_id, sealed.chunks, sources, pack_no)
        freed = await store.collection.packs.condemn_packs(conn, tenant_id, sources, now) - len(
            sealed.body
        )
        await volumes.change(conn, tenant_id, -freed, 0)
    crashpoint("retention.after_repack")
    logs.get().info(
        "packs.repacked", tenant_id=str(tenant_id), packs=len(sources), freed_bytes=freed
    )
    return freed


def _take(
    builder: packs.PackBuilder,
    tenant_id: UUID,
    keys: TenantKeys,
    pack_id: bytes,
    body: bytes,
    needed: Sequence[SealedChunk],
) -> None:
    """Takes what is needed out of a source; SealBroken rather than carrying damage on.

    A frame that is needed as a whole moves as it is; of another the rest finds new frames.
    """
    view = memoryview(body)
    for held in packs.by_frame(needed):
        first = held[0]
        sealed = view[first.offset : first.offset + first.length]
        payload = sealing.open_frame(sealed, keys, tenant_id, pack_id, first)
        chunks = [packs.PackedChunk(chunk.chunk_id, chunk.size) for chunk in held]
        if sum([chunk.size for chunk in held]) == (first.frame_size or first.size):
            builder.add_frame(payload, first.encoding, chunks)
            continue
        frame = packs.unpack_frame(payload, first)
        for chunk in held:
            builder.add(chunk.chunk_id, packs.cut_out(frame, chunk))


def _seal(
    builder: packs.PackBuilder, tenant_id: UUID, keys: TenantKeys
) -> tuple[bytes, sealing.SealedPack]:
    """Finishes the pack that an agent would have sent with these chunks, as ingest does.

    Each content is compared with its id.
    """
    pack = builder.finish()
    frames = packs.verify(pack.body, pack.id, keys.chunk_keys)
    pack_id = bytes.fromhex(pack.id)
    return pack_id, sealing.seal(pack.body, frames, keys, tenant_id, pack_id)
