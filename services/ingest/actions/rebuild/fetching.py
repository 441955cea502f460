"""What the bucket says when it is all there is: tenants, packs' indexes, runs' objects."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from libs.shared import bucket, packs, sealing
from libs.shared.bucket import PackObject, RunObject, RunObjects, StoredPart, Unreadable
from libs.shared.keys import TenantKeys
from libs.shared.objects import ObjectMissing, StoredObject
from services.ingest.actions.resources import Resources

_AT_ONCE = 12
_TAIL_BYTES = 16 * 1024

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True)
class StoredPack:
    """A pack's object and where its chunks lie; `whole` where every chunk was opened."""

    pack_id: bytes
    object_bytes: int
    stored_at: datetime
    chunks: list[sealing.SealedChunk]
    is_damaged: bool


async def each(things: AsyncIterable[T], work: Callable[[T], Awaitable[R]]) -> AsyncIterator[R]:
    """Yields what `work` makes of each thing, in order, some at once."""
    waiting: deque[asyncio.Task[R]] = deque()
    try:
        async for thing in things:
            waiting.append(asyncio.ensure_future(work(thing)))
            if len(waiting) >= _AT_ONCE:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()


async def several(things: Iterable[T]) -> AsyncIterator[T]:
    """Yields things one by one, as `each` takes them."""
    for thing in things:
        yield thing


async def list_tenants(resources: Resources) -> list[UUID]:
    """Returns the tenants that have keys or anything else in the bucket."""
    found = {bucket.find_tenant(key) async for key, _ in resources.objects.list(bucket.KEYS_PREFIX)}
    after = ""
    while first := await anext(resources.objects.list_dated(bucket.TENANTS_PREFIX, after), None):
        found.add(bucket.find_tenant(first.key))
        after = bucket.skip_folder(first.key)
    return sorted(tenant_id for tenant_id in found if tenant_id is not None)


async def list_runs(resources: Resources, tenant_id: UUID) -> list[RunObjects]:
    """Returns what there is of each plan's runs."""
    plans: dict[UUID, RunObjects] = {}
    async for key, _ in resources.objects.list(bucket.runs_of(tenant_id)):
        found = bucket.parse_key(key)
        if isinstance(found, RunObject):
            plans.setdefault(found.plan_id, RunObjects(found.plan_id)).add(key, found)
    return list(plans.values())


async def read_part(resources: Resources, keys: TenantKeys, part: StoredPart) -> bytes:
    """A part of a delta or of a whole list; Unreadable if it isn't there as its head names it."""
    sealed = await _get(resources, part.key)
    return await resources.in_thread(None, bucket.open_part, sealed, keys, part)


async def read_as(resources: Resources, keys: TenantKeys, key: str, kind: type[S]) -> S:
    """The head, end or list's head that is sealed in an object of a run."""
    sealed = await _get(resources, key)
    return await resources.in_thread(None, bucket.open_as, sealed, keys, key, kind)


async def _get(resources: Resources, key: str) -> bytes:
    try:
        return await resources.objects.get(key)
    except ObjectMissing:
        raise Unreadable(f"{key} is missing") from None


async def read_all(
    resources: Resources, keys: TenantKeys, names: Iterable[str], kind: type[S]
) -> AsyncIterator[tuple[str, S | Unreadable]]:
    """Yields what is sealed in objects of runs, or why that can't be read."""

    async def one(key: str) -> tuple[str, S | Unreadable]:
        try:
            return key, await read_as(resources, keys, key, kind)
        except Unreadable as trouble:
            return key, trouble

    async for found in each(several(names), one):
        yield found


async def read_packs(
    resources: Resources, tenant_id: UUID, keys: TenantKeys, *, verify: bool
) -> AsyncIterator[StoredPack | Unreadable]:
    """Yields every pack of a tenant: by its index alone, or by all of it."""

    async def one(found: StoredObject) -> StoredPack | Unreadable:
        try:
            return await _read_pack(resources, tenant_id, keys, found, verify=verify)
        except Unreadable as trouble:
            return trouble
        except ObjectMissing:
            return Unreadable(f"{found.key} is missing")
        except sealing.SealBroken as broken:
            return Unreadable(f"{found.key} is damaged: {broken}")

    async for pack in each(resources.objects.list_dated(bucket.packs_of(tenant_id)), one):
        yield pack


async def _read_pack(
    resources: Resources, tenant_id: UUID, keys: TenantKeys, found: StoredObject, *, verify: bool
) -> StoredPack:
    key, size = found.key, found.size_bytes
    named = bucket.parse_key(key)
    if not isinstance(named, PackObject):
        raise Unreadable(f"{key} has no pack's name")
    pack_id = named.pack_id
    if verify:
        async with resources.pack_memory.hold(tenant_id, 2 * size):
            body = await resources.objects.get(key)
            chunks = sealing.open_index(body, keys, tenant_id, pack_id)
            good = await resources.in_thread(
                tenant_id, _verify, body, chunks, keys, tenant_id, pack_id
            )
        return StoredPack(pack_id, size, found.modified_at, chunks, not good)
    length = min(size, _TAIL_BYTES)
    tail = await resources.objects.get_range(key, size - length, length) if length else b""
    wanted = sealing.find_index(tail[-sealing.SEAL_TRAILER_BYTES :], size, pack_id)
    if wanted > length:
        more = await resources.objects.get_range(key, size - wanted, wanted - length)
        tail = more + tail
    chunks = sealing.open_index_tail(tail[-wanted:], size, keys, tenant_id, pack_id)
    return StoredPack(pack_id, size, found.modified_at, chunks, False)


def _verify(
    body: bytes, chunks: list[sealing.SealedChunk], keys: TenantKeys, tenant_id: UUID, pack: bytes
) -> bool:
    """Whether every frame opens and unpacks, and each chunk in it is what its id says."""
    view = memoryview(body)
    try:
        for held in packs.by_frame(chunks):
            first = held[0]
            sealed = view[first.offset : first.offset + first.length]
            payload = sealing.open_frame(sealed, keys, tenant_id, pack, first)
            frame = packs.unpack_frame(payload, first)
            for chunk in held:
                content = packs.cut_out(frame, chunk)
                if not packs.is_named(content, chunk.chunk_id, keys.chunk_keys):
                    return False
    except (sealing.SealBroken, packs.PayloadInvalid):
        return False
    return True
