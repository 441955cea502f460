"""What the bucket says when it is all there is: tenants, packs' indexes, runs' objects."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from libs.shared import packs, sealing
from libs.shared.keys import TenantKeys
from libs.shared.objects import Listed, ObjectMissing
from services.ingest.actions.ends import open_part
from services.ingest.actions.ingest import Ingest

_AT_ONCE = 12
_TAIL_BYTES = 16 * 1024

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", bound=msgspec.Struct)


class Unreadable(Exception):  # noqa: N818 - named after what happened
    """An object that is missing, damaged or not what its key says."""


@dataclass
class RunObjects:
    """The keys of a plan's objects in the bucket, by what they are."""

    plan_id: UUID
    heads: dict[int, list[str]] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    lists: dict[int, str] = field(default_factory=dict)
    last_number: int = 0

    def add(self, key: str) -> None:
        """Sorts a key in; batches and parts of lists are found through their heads."""
        number, _, kind = key.rpartition("/")[2].partition(".")
        if not number.isdecimal():
            return
        self.last_number = max(self.last_number, int(number))
        if kind.startswith("head."):
            self.heads.setdefault(int(number), []).append(key)
        elif kind == "end":
            self.ends[int(number)] = key
        elif kind == "list":
            self.lists[int(number)] = key


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
    """The same things for `each`."""
    for thing in things:
        yield thing


async def list_tenants(ingest: Ingest) -> list[UUID]:
    """Returns the tenants that have keys or anything else in the bucket."""
    tenants = set()
    async for key, _ in ingest.objects.list("keys/"):
        with suppress(ValueError):
            tenants.add(UUID(key.removeprefix("keys/")))
    after = ""
    while first := await anext(ingest.objects.list_dated("t/", after), None):
        tenant = first.key.split("/")[1]
        with suppress(ValueError):
            tenants.add(UUID(tenant))
        after = f"t/{tenant}0"  # the character behind the slash: all of this tenant's keys
    return sorted(tenants)


async def list_runs(ingest: Ingest, tenant_id: UUID) -> list[RunObjects]:
    """Returns what there is of each plan's runs."""
    plans: dict[str, RunObjects] = {}
    prefix = f"t/{tenant_id}/runs/"
    async for key, _ in ingest.objects.list(prefix):
        plan = key.removeprefix(prefix).partition("/")[0]
        if plan not in plans:
            try:
                plans[plan] = RunObjects(UUID(plan))
            except ValueError:
                continue
        plans[plan].add(key)
    return list(plans.values())


async def read(ingest: Ingest, keys: TenantKeys, key: str) -> bytes:
    """What is sealed in an object of a run; Unreadable if it is damaged or missing."""
    try:
        sealed = await ingest.objects.get(key)
        return await ingest.in_thread(open_part, sealed, keys, key)
    except ObjectMissing:
        raise Unreadable(f"{key} is missing") from None
    except sealing.SealBroken as broken:
        raise Unreadable(f"{key} is damaged: {broken}") from None


async def read_as(ingest: Ingest, keys: TenantKeys, key: str, kind: type[S]) -> S:
    """The JSON that is sealed in an object of a run."""
    plain = await read(ingest, keys, key)
    try:
        return msgspec.json.decode(plain, type=kind)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"{key} can't be understood: {error}") from None


async def read_all(
    ingest: Ingest, keys: TenantKeys, names: Iterable[str], kind: type[S]
) -> AsyncIterator[tuple[str, S | Unreadable]]:
    """Yields what is sealed in objects of runs, or why that can't be read."""

    async def one(key: str) -> tuple[str, S | Unreadable]:
        try:
            return key, await read_as(ingest, keys, key, kind)
        except Unreadable as trouble:
            return key, trouble

    async for found in each(several(names), one):
        yield found


async def read_packs(
    ingest: Ingest, tenant_id: UUID, keys: TenantKeys, *, verify: bool
) -> AsyncIterator[StoredPack | Unreadable]:
    """Yields every pack of a tenant: by its index alone, or by all of it."""

    async def one(found: Listed) -> StoredPack | Unreadable:
        try:
            return await _read_pack(ingest, tenant_id, keys, found, verify=verify)
        except ObjectMissing:
            return Unreadable(f"{found.key} is missing")
        except (sealing.SealBroken, ValueError) as broken:
            return Unreadable(f"{found.key} is damaged: {broken}")

    async for pack in each(ingest.objects.list_dated(f"t/{tenant_id}/packs/"), one):
        yield pack


async def _read_pack(
    ingest: Ingest, tenant_id: UUID, keys: TenantKeys, found: Listed, *, verify: bool
) -> StoredPack:
    key, size = found.key, found.size_bytes
    pack_id = bytes.fromhex(key.rpartition("/")[2])
    if verify:
        async with ingest.pack_memory.hold(2 * size, 3_600):
            body = await ingest.objects.get(key)
            chunks = sealing.open_index(body, keys, tenant_id, pack_id)
            good = await ingest.in_thread(_verify, body, chunks, keys, tenant_id)
        return StoredPack(pack_id, size, found.modified_at, chunks, not good)
    length = min(size, _TAIL_BYTES)
    tail = await ingest.objects.get_range(key, size - length, length) if length else b""
    wanted = sealing.find_index(tail[-sealing.SEAL_TRAILER_BYTES :], size, pack_id)
    if wanted > length:
        more = await ingest.objects.get_range(key, size - wanted, wanted - length)
        tail = more + tail
    chunks = sealing.open_index_tail(tail[-wanted:], size, keys, tenant_id, pack_id)
    return StoredPack(pack_id, size, found.modified_at, chunks, False)


def _verify(
    body: bytes, chunks: list[sealing.SealedChunk], keys: TenantKeys, tenant_id: UUID
) -> bool:
    """Whether every chunk opens, unpacks, and is what its id says."""
    view = memoryview(body)
    try:
        for chunk in chunks:
            sealed = view[chunk.offset : chunk.offset + chunk.length]
            payload = sealing.open_chunk(sealed, keys, tenant_id, chunk)
            content = packs.unpack(payload, chunk.encoding, chunk.size)
            if packs.chunk_id(content, keys.chunk_key) != chunk.chunk_id:
                return False
    except (sealing.SealBroken, packs.PayloadInvalid):
        return False
    return True
