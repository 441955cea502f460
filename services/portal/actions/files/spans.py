"""Reading what clients stored: neighbours in a pack are one request to the store, opened together.

While one is on its way to the reader, the next ones are fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from prometheus_client import Counter

from libs.shared import bucket, errors, outbox, sealing
from libs.shared.catalogue import ChunkPlace
from libs.shared.database import Pool, tenant_transaction
from libs.shared.events import StorageDoubted
from libs.shared.keys import TenantKeys
from libs.shared.objects import ObjectMissing, ObjectStore
from libs.shared.restores import PlacedChunk
from libs.shared.shares import Shares
from services.portal.actions.resources import Resources

T = TypeVar("T")
AnyPlace = ChunkPlace | PlacedChunk
Place = TypeVar("Place", bound=AnyPlace)

_FETCHED = Counter("coffre_recovery_bytes", "Stored bytes read to be recovered or shown")

# A request costs the store and us about as much as reading half a megabyte does.
_GAP_BYTES = 128 << 10
_SPAN_BYTES = 8 << 20


class Damaged(errors.Refusal):
    """What the store gave back is not what was put there; nothing of it is passed on."""

    code = "damaged"
    status = 502
    title = "What is stored is damaged"

    def __init__(self, chunk_id: bytes) -> None:
        super().__init__(chunk_id)
        self.chunk_id = chunk_id

    @property
    def detail(self) -> str:
        return (
            "A part of this file can't be read back as it was stored; try an older or a newer "
            "restore point, and tell your provider."
        )


@dataclass(frozen=True)
class ChunkReader:
    """What reading one tenant's chunks needs."""

    pool: Pool
    objects: ObjectStore
    keys: TenantKeys
    tenant_id: UUID
    reads: Shares


async def open_reader(resources: Resources, tenant_id: UUID) -> ChunkReader:
    """Fetches the tenant's keys; raises KeysDestroyed, Unavailable."""
    keys = await resources.keys.get(tenant_id)
    return ChunkReader(resources.pool, resources.objects, keys, tenant_id, resources.reads)


def find_spans(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Groups of neighbours in one pack, in the order in which the places come."""
    span: list[Place] = []
    pack_no, start, end = -1, 0, 0
    for place in places:
        last = place.offset + place.length
        is_same = bool(span) and (place.offset, last) == (span[-1].offset, end)
        is_near = is_same or 0 <= place.offset - end <= _GAP_BYTES
        if place.pack_no != pack_no or not is_near or last - start > _SPAN_BYTES:
            if span:
                yield span
            span, pack_no, start = [], place.pack_no, place.offset
        span.append(place)
        end = last
    if span:
        yield span


async def fetch(reader: ChunkReader, pack_id: bytes, span: Sequence[AnyPlace]) -> bytes:
    """A span as it is stored, from its first place to its last; raises Damaged, Unavailable."""
    start = span[0].offset
    length = span[-1].offset + span[-1].length - start
    key = bucket.key_of_pack(reader.tenant_id, pack_id)
    try:
        async with reader.reads.hold(reader.tenant_id):
            fetched = await reader.objects.get_range(key, start, length)
    except ObjectMissing as missing:
        raise Damaged(span[0].chunk_id) from missing
    _FETCHED.inc(length)
    return fetched


async def doubt(reader: ChunkReader, pack_id: bytes) -> None:
    """Has retention read a pack again, which opens an incident where it is damaged."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        told = StorageDoubted(tenant_id=reader.tenant_id, pack_id=pack_id.hex())
        await outbox.add(conn, told)


def open_frames(
    reader: ChunkReader,
    pack_id: bytes,
    frames: Sequence[Sequence[Place]],
    sealed: bytes,
    rooms: Iterable[memoryview],
) -> Iterator[tuple[Sequence[Place], memoryview]]:
    """Opens the frames of a fetched span one by one; the payloads are still compressed.

    frames: the chunks in each. rooms: where each payload goes, as long as it is. Raises Damaged
    for one that doesn't open."""
    view = memoryview(sealed)
    keys, tenant_id, start = reader.keys, reader.tenant_id, frames[0][0].offset
    for chunks, room in zip(frames, rooms, strict=True):
        place = chunks[0]
        frame = view[place.offset - start : place.offset - start + place.length]
        try:
            sealing.open_frame_into(frame, keys, tenant_id, pack_id, place, room)
        except sealing.SealBroken as broken:
            raise Damaged(place.chunk_id) from broken
        yield chunks, room


def payload_bytes(place: AnyPlace) -> int:
    """How long the payload of a chunk's frame is once its seal is off."""
    return place.length - sealing.SEAL_OVERHEAD_BYTES


async def read_ahead(
    fetches: AsyncIterator[Coroutine[Any, Any, T]], ahead: int
) -> AsyncGenerator[T, None]:
    """Yields what is fetched, in order, while the next `ahead` fetches are under way."""
    running: deque[asyncio.Task[T]] = deque()
    try:
        async for fetch in fetches:
            running.append(asyncio.create_task(fetch))
            if len(running) > ahead:
                yield await _first_of(running)
        while running:
            yield await _first_of(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _first_of(running: deque[asyncio.Task[T]]) -> T:
    # Taken out once it is done, so that whatever comes before ends it too.
    fetched = await running[0]
    running.popleft()
    return fetched
