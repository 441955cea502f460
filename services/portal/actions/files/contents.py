"""Contents of files, from the store to the reader: in order, verified, in constant memory.

Chunks are fetched in windows of some megabytes. Within a window, what lies close together in a
pack is one request, whatever the order; while one window is read, the next ones are fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from libs.shared import catalogue, logs, packs
from libs.shared.catalogue import ChunkPlace
from libs.shared.database import tenant_transaction
from libs.shared.entries import split_ids
from services.portal.actions.files import spans
from services.portal.actions.files.spans import AnyPlace, ChunkReader, Damaged

FIRST_WINDOW_BYTES, WINDOW_BYTES = 4 << 20, 6 << 20
WINDOWS_AHEAD = 2
PIECE_BYTES = 512 << 10

_LOCATED_AT_ONCE = 4_096
_SPANS_AT_ONCE = 4


class Chunk(NamedTuple):
    """A chunk as it was read."""

    place: ChunkPlace
    content: memoryview


async def locate(
    reader: ChunkReader, chunk_ids: Iterable[bytes]
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


async def _locate(reader: ChunkReader, batch: list[bytes]) -> list[ChunkPlace]:
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        found = await catalogue.locate_chunks(conn, reader.tenant_id, list(set(batch)))
    for chunk_id in batch:
        if chunk_id not in found:
            raise Damaged(chunk_id)
    return [found[chunk_id] for chunk_id in batch]


async def read(
    reader: ChunkReader, places: AsyncGenerator[list[ChunkPlace], None]
) -> AsyncGenerator[Chunk, None]:
    """Yields chunks in the order of `places`, checked; raises Damaged, Unavailable."""
    turns = asyncio.Semaphore(_SPANS_AT_ONCE)
    fetches = (_fetch(reader, window, turns) async for window in _windows(places))
    async with aclosing(spans.read_ahead(fetches, WINDOWS_AHEAD)) as windows:
        async for window in windows:
            # What was passed on makes room for the next window before this one's end.
            window.reverse()
            while window:
                yield window.pop()


async def _windows(
    places: AsyncGenerator[list[ChunkPlace], None],
) -> AsyncGenerator[list[ChunkPlace], None]:
    """Windows of places, the first one smaller, so that the first byte comes soon."""
    window: list[ChunkPlace] = []
    weight, most = 0, FIRST_WINDOW_BYTES
    async for located in places:
        for place in located:
            if window and weight + place.size > most:
                yield window
                window, weight, most = [], 0, min(2 * most, WINDOW_BYTES)
            window.append(place)
            weight += place.size
        # A window of very small chunks isn't worth the memory of their places.
        if len(window) >= _LOCATED_AT_ONCE:
            yield window
            window, weight = [], 0
    if window:
        yield window


async def _fetch(
    reader: ChunkReader, window: list[ChunkPlace], turns: asyncio.Semaphore
) -> list[Chunk]:
    opened: dict[bytes, memoryview] = {}

    async def fetch_span(span: list[ChunkPlace]) -> None:
        async with turns:
            try:
                sealed = await spans.fetch(reader, span[0].pack_id, span)
                opened.update(
                    await asyncio.to_thread(open_span, reader, span[0].pack_id, span, sealed)
                )
            except Damaged as damage:
                logs.get().error(
                    "chunk.damaged", chunk=damage.chunk_id.hex(), why=repr(damage.__cause__)
                )
                await spans.doubt(reader, span[0].pack_id)
                raise

    # Not a TaskGroup: the refusal itself must come out, not a group around it.
    in_order = sorted({place.chunk_id: place for place in window}.values(), key=_position)
    tasks = [asyncio.create_task(fetch_span(span)) for span in spans.find_spans(in_order)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [Chunk(place, opened[place.chunk_id]) for place in window]


def _position(place: ChunkPlace) -> tuple[int, int, int]:
    return place.pack_no, place.offset, place.start


def open_span(
    reader: ChunkReader, pack_id: bytes, span: Sequence[AnyPlace], sealed: bytes
) -> dict[bytes, memoryview]:
    """The contents of a span's chunks by id, each of them what its id says; raises Damaged."""
    contents = {}
    frames = [*packs.by_frame(span)]
    for chunks, payload in spans.open_frames(reader, pack_id, frames, sealed, _rooms(frames)):
        try:
            frame = packs.unpack_frame(payload, chunks[0])
        except packs.PayloadInvalid as error:
            raise Damaged(chunks[0].chunk_id) from error
        for place in chunks:
            content = packs.cut_out(frame, place)
            if not packs.is_named(content, place.chunk_id, reader.keys.chunk_keys):
                raise Damaged(place.chunk_id)
            # Of a frame of many chunks only those that are wanted are kept.
            is_whole = len(chunks) == 1 and len(content) == len(frame)
            contents[place.chunk_id] = content if is_whole else memoryview(bytes(content))
    return contents


def _rooms(frames: Sequence[Sequence[AnyPlace]]) -> Iterator[memoryview]:
    """Where each frame's payload goes: all share one, but those that may be contents already."""
    lengths = [spans.payload_bytes(chunks[0]) for chunks in frames]
    shared = memoryview(bytearray(max(lengths)))
    for chunks, length in zip(frames, lengths, strict=True):
        is_content = chunks[0].encoding == packs.RAW and len(chunks) == 1
        yield memoryview(bytearray(length)) if is_content else shared[:length]


async def read_range(
    reader: ChunkReader, chunk_ids: bytes, start: int, length: int
) -> AsyncGenerator[memoryview, None]:
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


async def _find_chunk(reader: ChunkReader, ids: list[bytes], start: int) -> tuple[int, int]:
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


def pieces(content: memoryview) -> Iterator[memoryview]:
    """A content in parts that a slow reader can take one at a time."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]
