"""Chunks in bulk for a restorer: told where they lie, still compressed, in the order asked for.

The list named the places, so nothing is looked up here but the packs' names. A place that has
become untrue, after a repack, costs one look-up; the seal proves what is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from typing import Any

from libs.shared import catalogue, errors, logs, packs, restores, sealing
from libs.shared.database import tenant_transaction
from libs.shared.restores import PlacedChunk
from services.portal import store
from services.portal.actions.files import spans
from services.portal.actions.files.spans import AnyPlace, ChunkReader, Damaged

PIECE_BYTES = 1 << 20

_SPANS_AHEAD = 1


def parse(body: bytes | bytearray) -> list[PlacedChunk]:
    """The chunks that a request asks for; raises InvalidRequest."""
    wanted = restores.decode_request(body)
    if min([one.length for one in wanted]) <= sealing.SEAL_OVERHEAD_BYTES:
        raise errors.InvalidRequest("No chunk has such a length.")
    return wanted


async def write(reader: ChunkReader, wanted: list[PlacedChunk]) -> AsyncGenerator[memoryview, None]:
    """Yields what answers each chunk, in the order asked for: its frame, once for all that are next
    to each other in it; or the chunk itself, or that it can't be read. Raises Unavailable."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        numbers = list({one.pack_no for one in wanted})
        pack_ids = await store.files.find_pack_ids(conn, reader.tenant_id, numbers)
    answers = spans.read_ahead(_answers(reader, wanted, pack_ids), _SPANS_AHEAD)
    async with aclosing(answers):
        async for span, whole in answers:
            if whole is not None:
                for piece in _pieces(whole):
                    yield piece
                continue
            # Unpacked, they may be many times as much: one after the other.
            async with aclosing(_answer_each(reader, pack_ids.get(span[0].pack_no), span)) as each:
                async for answer in each:
                    for piece in _pieces(memoryview(answer)):
                        yield piece


def _pieces(answer: memoryview) -> Iterator[memoryview]:
    """Parts that a slow reader can take one at a time."""
    for at in range(0, len(answer), PIECE_BYTES):
        yield answer[at : at + PIECE_BYTES]


async def _answers(
    reader: ChunkReader, wanted: list[PlacedChunk], pack_ids: dict[int, bytes]
) -> AsyncIterator[Coroutine[Any, Any, tuple[list[PlacedChunk], memoryview | None]]]:
    for span in spans.find_spans(wanted):
        yield _answer(reader, pack_ids.get(span[0].pack_no), span)


async def _answer(
    reader: ChunkReader, pack_id: bytes | None, span: list[PlacedChunk]
) -> tuple[list[PlacedChunk], memoryview | None]:
    """A span as it travels, if all of it lies where it was said to."""
    if pack_id is not None:
        with suppress(Damaged):
            return span, await _answer_at(reader, pack_id, span)
    return span, None


async def _answer_at(
    reader: ChunkReader, pack_id: bytes, span: Sequence[PlacedChunk]
) -> memoryview:
    sealed = await spans.fetch(reader, pack_id, span)
    return await asyncio.to_thread(_open, reader, pack_id, span, sealed)


def _open(
    reader: ChunkReader, pack_id: bytes, span: Sequence[PlacedChunk], sealed: bytes
) -> memoryview:
    """All of a span in one buffer: each payload once, behind the head of its first chunk."""
    frames = [*packs.by_frame(span)]
    size = sum([spans.payload_bytes(chunks[0]) for chunks in frames])
    answer = memoryview(bytearray(size + restores.HEAD_BYTES * len(span)))
    for _ in spans.open_frames(reader, pack_id, frames, sealed, _rooms(answer, frames)):
        pass
    return answer


def _rooms(answer: memoryview, frames: Iterable[list[PlacedChunk]]) -> Iterator[memoryview]:
    at = 0
    for chunks in frames:
        length = spans.payload_bytes(chunks[0])
        restores.put_head(answer, at, length, chunks[0].encoding)
        at += restores.HEAD_BYTES
        yield answer[at : at + length]
        at += length
        again = restores.AGAIN * (len(chunks) - 1)
        answer[at : at + len(again)] = again
        at += len(again)


async def _answer_each(
    reader: ChunkReader, pack_id: bytes | None, span: Sequence[PlacedChunk]
) -> AsyncGenerator[bytes, None]:
    """The chunks of a span one by one: where they were said to be, else where they are now."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        ids = list({one.chunk_id for one in span})
        now = await catalogue.locate_chunks(conn, reader.tenant_id, ids)
    said_frame, now_frame = _LastFrame(reader), _LastFrame(reader)
    doubted: set[bytes] = set()
    for one in span:
        place = now.get(one.chunk_id)
        content = None
        if pack_id is not None:
            content = await said_frame.read(pack_id, one)
        if content is None and place is not None:
            content = await now_frame.read(place.pack_id, place)
        if content is None:
            logs.get().error("chunk.damaged", chunk=one.chunk_id.hex(), is_known=place is not None)
            if place is not None and place.pack_id not in doubted:
                doubted.add(place.pack_id)
                await spans.doubt(reader, place.pack_id)
        yield restores.LOST if content is None else restores.alone(content)


class _LastFrame:
    """The frame that was opened last, or tried: chunks that follow each other mostly share it."""

    def __init__(self, reader: ChunkReader) -> None:
        self._reader = reader
        self._place: tuple[bytes, int, int, int, int] | None = None
        self._content: memoryview | None = None

    async def read(self, pack_id: bytes, place: AnyPlace) -> bytes | None:
        """A chunk's content, verified; None where it isn't there as it was put."""
        frame_size = place.frame_size or place.size
        where = pack_id, place.offset, place.length, place.encoding, frame_size
        if where != self._place:
            self._place, self._content = where, None
            with suppress(Damaged, sealing.SealBroken, packs.PayloadInvalid):
                sealed = await spans.fetch(self._reader, pack_id, [place])
                self._content = await asyncio.to_thread(
                    _unpack, self._reader, pack_id, place, sealed
                )
        if self._content is None:
            return None
        content = bytes(packs.cut_out(self._content, place))
        is_it = packs.is_named(content, place.chunk_id, self._reader.keys.chunk_keys)
        return content if is_it else None


def _unpack(reader: ChunkReader, pack_id: bytes, place: AnyPlace, sealed: bytes) -> memoryview:
    payload = sealing.open_frame(sealed, reader.keys, reader.tenant_id, pack_id, place)
    return packs.unpack_frame(payload, place)
