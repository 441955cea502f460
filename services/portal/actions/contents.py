"""Contents of files, from the store to the reader: in order, verified, in constant memory.

Chunks are fetched in windows of some megabytes. Within a window, what lies close together in a
pack is one request, whatever the order; while one window is read, the next ones are fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar, NamedTuple
from uuid import UUID

from libs.shared import bucket, catalogue, errors, logs, packs, sealing
from libs.shared.catalogue import ChunkPlace
from libs.shared.database import Pool, tenant_transaction
from libs.shared.keys import TenantKeys
from libs.shared.objects import ObjectMissing, ObjectStore
from services.portal.actions.parts import Parts

WINDOW_BYTES = 4 << 20
WINDOWS_AHEAD = 2
PIECE_BYTES = 256 << 10

_LOCATED_AT_ONCE = 4_096
_GAP_BYTES = 32 << 10
_SPAN_BYTES = 8 << 20
_SPANS_AT_ONCE = 4
_ID_BYTES = 32


class Damaged(errors.Refusal):
    """What the store gave back is not what was put there; nothing of it is passed on."""

    code: ClassVar[str] = "damaged"
    status: ClassVar[int] = 502
    title: ClassVar[str] = "The stored copy is damaged"

    def __init__(self, chunk_id: bytes) -> None:
        super().__init__(chunk_id)
        self.chunk_id = chunk_id

    @property
    def detail(self) -> str:
        return (
            "A part of this file can't be read back as it was stored; try an older or a newer "
            "restore point, and tell your provider."
        )


class Chunk(NamedTuple):
    """A chunk as it was read."""

    place: ChunkPlace
    content: bytes


@dataclass(frozen=True)
class Reader:
    """What reading one tenant's chunks needs."""

    pool: Pool
    objects: ObjectStore
    keys: TenantKeys
    tenant_id: UUID


async def open_reader(parts: Parts, tenant_id: UUID) -> Reader:
    """Fetches the tenant's keys; raises KeysDestroyed, Unavailable."""
    return Reader(parts.pool, parts.objects, await parts.keys.get(tenant_id), tenant_id)


def split_ids(chunk_ids: bytes) -> list[bytes]:
    """The ids that a version or a request holds one after the other."""
    return [chunk_ids[at : at + _ID_BYTES] for at in range(0, len(chunk_ids), _ID_BYTES)]


async def locate(
    reader: Reader, chunk_ids: Iterable[bytes]
) -> AsyncGenerator[list[ChunkPlace], None]:
    """Where chunks lie, in the order asked for, some thousands at a time; raises Damaged."""
    batch: list[bytes] = []
    for chunk_id in chunk_ids:
        batch.append(chunk_id)
        if len(batch) == _LOCATED_AT_ONCE:
            yield await _locate(reader, batch)
            batch = []
    if batch:
        yield await _locate(reader, batch)


async def _locate(reader: Reader, batch: list[bytes]) -> list[ChunkPlace]:
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        found = await catalogue.locate_chunks(conn, reader.tenant_id, list(set(batch)))
    for chunk_id in batch:
        if chunk_id not in found:
            raise Damaged(chunk_id)
    return [found[chunk_id] for chunk_id in batch]


async def read(
    reader: Reader, places: AsyncGenerator[list[ChunkPlace], None]
) -> AsyncGenerator[Chunk, None]:
    """Yields chunks in the order of `places`, checked; raises Damaged, Unavailable."""
    ahead: deque[asyncio.Task[list[Chunk]]] = deque()
    turns = asyncio.Semaphore(_SPANS_AT_ONCE)
    try:
        async for window in _windows(places):
            ahead.append(asyncio.create_task(_fetch(reader, window, turns)))
            if len(ahead) > WINDOWS_AHEAD:
                for chunk in await ahead.popleft():
                    yield chunk
        while ahead:
            for chunk in await ahead.popleft():
                yield chunk
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _windows(
    places: AsyncGenerator[list[ChunkPlace], None],
) -> AsyncGenerator[list[ChunkPlace], None]:
    window: list[ChunkPlace] = []
    weight = 0
    async for located in places:
        for place in located:
            if window and weight + place.size > WINDOW_BYTES:
                yield window
                window, weight = [], 0
            window.append(place)
            weight += place.size
        # A window of very small chunks isn't worth the memory of their places.
        if len(window) >= _LOCATED_AT_ONCE:
            yield window
            window, weight = [], 0
    if window:
        yield window


async def _fetch(reader: Reader, window: list[ChunkPlace], turns: asyncio.Semaphore) -> list[Chunk]:
    opened: dict[bytes, bytes] = {}

    async def fetch_span(span: list[ChunkPlace]) -> None:
        start = span[0].offset
        length = max(place.offset + place.length for place in span) - start
        key = bucket.key_of_pack(reader.tenant_id, span[0].pack_id)
        async with turns:
            try:
                sealed = await reader.objects.get_range(key, start, length)
            except ObjectMissing:
                raise Damaged(span[0].chunk_id) from None
            opened.update(await asyncio.to_thread(_open, reader, span, sealed))

    # Not a TaskGroup: the refusal itself must come out, not a group around it.
    tasks = [asyncio.create_task(fetch_span(span)) for span in spans(window)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [Chunk(place, opened[place.chunk_id]) for place in window]


def spans(window: Iterable[ChunkPlace]) -> list[list[ChunkPlace]]:
    """Groups chunks that lie close together in one pack, each group by offset."""
    found: list[list[ChunkPlace]] = []
    end = 0
    for place in sorted({place.chunk_id: place for place in window}.values(), key=_position):
        last = found[-1] if found else None
        if (
            last is not None
            and last[0].pack_id == place.pack_id
            and place.offset - end <= _GAP_BYTES
            and place.offset + place.length - last[0].offset <= _SPAN_BYTES
        ):
            last.append(place)
        else:
            found.append([place])
        end = place.offset + place.length
    return found


def _position(place: ChunkPlace) -> tuple[bytes, int]:
    return place.pack_id, place.offset


def _open(reader: Reader, span: list[ChunkPlace], sealed: bytes) -> dict[bytes, bytes]:
    view = memoryview(sealed)
    opened = {}
    for place in span:
        at = place.offset - span[0].offset
        try:
            opened[place.chunk_id] = _open_one(reader, place, view[at : at + place.length])
        except Damaged as damage:
            logs.get().error(
                "chunk.damaged", chunk=place.chunk_id.hex(), why=repr(damage.__cause__)
            )
            raise
    return opened


def _open_one(reader: Reader, place: ChunkPlace, sealed: memoryview) -> bytes:
    try:
        payload = sealing.open_chunk(sealed, reader.keys, reader.tenant_id, place)
        content = packs.unpack(payload, place.encoding, place.size)
    except (sealing.SealBroken, packs.PayloadInvalid) as error:
        raise Damaged(place.chunk_id) from error
    if packs.chunk_id(content, reader.keys.chunk_key) != place.chunk_id:
        raise Damaged(place.chunk_id)
    return content


async def read_range(
    reader: Reader, chunk_ids: bytes, start: int, length: int
) -> AsyncGenerator[bytes, None]:
    """Yields `length` bytes of a file from `start`, in pieces; raises Damaged, Unavailable."""
    if not length:
        return
    ids = split_ids(chunk_ids)
    first, skip = await _find_chunk(reader, ids, start) if start else (0, 0)
    left = length
    places = _up_to(locate(reader, ids[first:]), skip + length)
    async with aclosing(read(reader, places)) as chunks:
        async for chunk in chunks:
            content = chunk.content[skip : skip + left]
            skip = 0
            left -= len(content)
            for piece in pieces(content):
                yield piece
    if left:
        raise Damaged(ids[-1])


async def _find_chunk(reader: Reader, ids: list[bytes], start: int) -> tuple[int, int]:
    """(which chunk holds the byte at `start`, where in the chunk it is)."""
    number = 0
    async with aclosing(locate(reader, ids)) as located:
        async for places in located:
            for place in places:
                if start < place.size:
                    return number, start
                start -= place.size
                number += 1
    raise Damaged(ids[-1])


async def _up_to(
    located: AsyncGenerator[list[ChunkPlace], None], size: int
) -> AsyncGenerator[list[ChunkPlace], None]:
    """The first places, as many as hold `size` bytes."""
    async with aclosing(located):
        async for places in located:
            for count, place in enumerate(places, 1):
                size -= place.size
                if size <= 0:
                    yield places[:count]
                    return
            yield places


def pieces(content: bytes) -> Sequence[bytes]:
    """A content in parts that a slow reader can take one at a time."""
    if len(content) <= PIECE_BYTES:
        return [content]
    return [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
