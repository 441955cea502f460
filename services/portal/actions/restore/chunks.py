"""Chunks in bulk for a restorer: told where they lie, still compressed, in the order asked for.

The list named the places, so nothing is looked up here but the packs' names. A place that has
become untrue, after a repack, costs one look-up; the seal proves what is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import aclosing, suppress
from typing import Any

from libs.shared import catalogue, errors, logs, restores, sealing
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
    """Yields each chunk behind its length and encoding, in the order asked for.

    A length of 0 stands for a chunk that can't be read back as it was put there. Raises
    Unavailable."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        numbers = list({one.pack_no for one in wanted})
        pack_ids = await store.files.find_pack_ids(conn, reader.tenant_id, numbers)
    answers = spans.read_ahead(_answers(reader, wanted, pack_ids), _SPANS_AHEAD)
    async with aclosing(answers):
        async for answer in answers:
            # In parts that a slow reader can take one at a time.
            for at in range(0, len(answer), PIECE_BYTES):
                yield answer[at : at + PIECE_BYTES]


async def _answers(
    reader: ChunkReader, wanted: list[PlacedChunk], pack_ids: dict[int, bytes]
) -> AsyncIterator[Coroutine[Any, Any, memoryview]]:
    for span in spans.find_spans(wanted):
        yield _answer(reader, pack_ids.get(span[0].pack_no), span)


async def _answer(
    reader: ChunkReader, pack_id: bytes | None, span: list[PlacedChunk]
) -> memoryview:
    """A span as it travels: all of it from where it was said to be, else one by one."""
    if pack_id is not None:
        with suppress(Damaged):
            return await _answer_at(reader, pack_id, span)
    return await _answer_each(reader, pack_id, span)


async def _answer_at(reader: ChunkReader, pack_id: bytes, span: Sequence[AnyPlace]) -> memoryview:
    sealed = await spans.fetch(reader, pack_id, span)
    return await asyncio.to_thread(_open, reader, span, sealed)


def _open(reader: ChunkReader, span: Sequence[AnyPlace], sealed: bytes) -> memoryview:
    """All of a span in one buffer, each payload behind its head."""
    size = sum([spans.payload_bytes(one) for one in span]) + restores.HEAD_BYTES * len(span)
    answer = memoryview(bytearray(size))
    for _ in spans.open_each(reader, span, sealed, _rooms(answer, span)):
        pass
    return answer


def _rooms(answer: memoryview, span: Sequence[AnyPlace]) -> Iterator[memoryview]:
    at = 0
    for one in span:
        length = spans.payload_bytes(one)
        restores.put_head(answer, at, length, one.encoding)
        at += restores.HEAD_BYTES
        yield answer[at : at + length]
        at += length


async def _answer_each(
    reader: ChunkReader, pack_id: bytes | None, span: Sequence[PlacedChunk]
) -> memoryview:
    """The chunks of a span one by one: where they were said to be, else where they are now."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        ids = list({one.chunk_id for one in span})
        now = await catalogue.locate_chunks(conn, reader.tenant_id, ids)
    answer = bytearray()
    for one in span:
        found = None
        if pack_id is not None:
            with suppress(Damaged):
                found = await _answer_at(reader, pack_id, [one])
        place = now.get(one.chunk_id)
        if found is None and place is not None and place.pack_no != one.pack_no:
            with suppress(Damaged):
                found = await _answer_at(reader, place.pack_id, [place])
        if found is None:
            logs.get().error("chunk.damaged", chunk=one.chunk_id.hex(), is_known=place is not None)
            if place is not None:
                await spans.doubt(reader, place.pack_id)
        answer += restores.LOST if found is None else found
    return memoryview(answer)
