"""Chunks in bulk for a restorer: told where they lie, still compressed, in the order asked for.

The manifest named the places, so nothing is looked up here but the packs' names. A place that has
become untrue, after a repack, costs one look-up; the seal proves what is found.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import NamedTuple

from libs.shared import bucket, catalogue, errors, logs, packs, sealing
from libs.shared.catalogue import ChunkPlace
from libs.shared.database import tenant_transaction
from libs.shared.objects import ObjectMissing
from services.portal import store
from services.portal.actions.contents import Reader

MAX_CHUNKS = 16_384
MAX_ASKED_BYTES = 64 << 20
PIECE_BYTES = 1 << 20

_WANTED = struct.Struct(">32sQIIIB")
_HEAD = struct.Struct(">IB")
_LONGEST_BYTES = 2 * packs.MAX_CHUNK_BYTES
# A request costs the store and us about as much as reading half a megabyte does.
_GAP_BYTES = 128 << 10
_SPAN_BYTES = 8 << 20
_AHEAD = 1

RECORD_BYTES = _WANTED.size


class Wanted(NamedTuple):
    """A chunk and where the manifest says that it lies."""

    chunk_id: bytes
    pack_no: int
    offset: int
    length: int
    size: int
    encoding: int


def parse(body: bytes | bytearray) -> list[Wanted]:
    """The records of a request; raises InvalidRequest."""
    if not body or len(body) % _WANTED.size:
        raise errors.InvalidRequest(
            f"The body is one or more records of {_WANTED.size} bytes, one for each chunk."
        )
    wanted = [Wanted._make(record) for record in _WANTED.iter_unpack(body)]
    lengths = [one.length for one in wanted]
    if min(lengths) <= sealing.SEAL_OVERHEAD_BYTES or max(lengths) > _LONGEST_BYTES:
        raise errors.InvalidRequest("No chunk has such a length.")
    if max(one.pack_no for one in wanted) >= 1 << 63:
        raise errors.InvalidRequest("No pack has such a number.")
    if sum(lengths) > MAX_ASKED_BYTES:
        raise errors.InvalidRequest(f"Ask for {MAX_ASKED_BYTES} bytes at most at once.")
    return wanted


async def write(reader: Reader, wanted: list[Wanted]) -> AsyncGenerator[memoryview, None]:
    """Yields each chunk behind its length and encoding, in the order asked for.

    A length of 0 stands for a chunk that can't be read back as it was put there. Raises
    Unavailable."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        numbers = list({one.pack_no for one in wanted})
        pack_ids = await store.entries.find_pack_ids(conn, reader.tenant_id, numbers)
    ahead: deque[asyncio.Task[memoryview]] = deque()
    try:
        for span in _spans(wanted):
            pack_id = pack_ids.get(span[0].pack_no)
            ahead.append(asyncio.create_task(_read_span(reader, pack_id, span)))
            if len(ahead) > _AHEAD:
                async for piece in _pieces(ahead):
                    yield piece
        while ahead:
            async for piece in _pieces(ahead):
                yield piece
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _pieces(ahead: deque[asyncio.Task[memoryview]]) -> AsyncGenerator[memoryview, None]:
    """The oldest span in parts that a slow reader can take one at a time."""
    opened = await ahead[0]
    del ahead[0]
    for at in range(0, len(opened), PIECE_BYTES):
        yield opened[at : at + PIECE_BYTES]


def _spans(wanted: list[Wanted]) -> Iterator[list[Wanted]]:
    """Neighbours in one pack, as they were asked for: each list is one request to the store."""
    span: list[Wanted] = []
    number, start, end = -1, 0, 0
    for one in wanted:
        last = one.offset + one.length
        if not (
            one.pack_no == number and 0 <= one.offset - end <= _GAP_BYTES
            and last - start <= _SPAN_BYTES
        ):  # fmt: skip
            if span:
                yield span
            span, number, start = [], one.pack_no, one.offset
        span.append(one)
        end = last
    yield span


async def _read_span(reader: Reader, pack_id: bytes | None, span: list[Wanted]) -> memoryview:
    start = span[0].offset
    length = span[-1].offset + span[-1].length - start
    if pack_id is not None:
        try:
            sealed = await _get_range(reader, pack_id, start, length)
            return await asyncio.to_thread(_open_span, reader, span, sealed)
        except (ObjectMissing, sealing.SealBroken):
            pass
    return await _read_each(reader, pack_id, span)


async def _get_range(reader: Reader, pack_id: bytes, offset: int, length: int) -> bytes:
    key = bucket.key_of_pack(reader.tenant_id, pack_id)
    return await reader.objects.get_range(key, offset, length)


def _open_span(reader: Reader, span: list[Wanted], sealed: bytes) -> memoryview:
    """All chunks of a span opened into one buffer; SealBroken if any doesn't open."""
    overhead = sealing.SEAL_OVERHEAD_BYTES
    each = _HEAD.size - overhead
    opened = memoryview(bytearray(sum(one.length for one in span) + each * len(span)))
    view = memoryview(sealed)
    start = span[0].offset
    at = 0
    for one in span:
        end = at + one.length + each
        _HEAD.pack_into(opened, at, one.length - overhead, one.encoding)
        begin = one.offset - start
        sealing.open_chunk_into(
            view[begin : begin + one.length],
            reader.keys,
            reader.tenant_id,
            one,
            opened[at + _HEAD.size : end],
        )
        at = end
    return opened


async def _read_each(reader: Reader, pack_id: bytes | None, span: list[Wanted]) -> memoryview:
    """The chunks of a span one by one: where they were said to be, else where they are now."""
    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
        ids = list({one.chunk_id for one in span})
        now = await catalogue.locate_chunks(conn, reader.tenant_id, ids)
    opened = bytearray()
    for one in span:
        payload = None
        if pack_id is not None:
            payload = await _read_one(reader, pack_id, one)
        encoding = one.encoding
        place = now.get(one.chunk_id)
        if payload is None and place is not None and place.pack_no != one.pack_no:
            payload = await _read_one(reader, place.pack_id, place)
            encoding = place.encoding
        if payload is None:
            logs.get().error("chunk.damaged", chunk=one.chunk_id.hex(), is_known=place is not None)
            payload, encoding = b"", 0
        opened += _HEAD.pack(len(payload), encoding) + payload
    return memoryview(opened)


async def _read_one(reader: Reader, pack_id: bytes, place: Wanted | ChunkPlace) -> bytes | None:
    try:
        sealed = await _get_range(reader, pack_id, place.offset, place.length)
        return sealing.open_chunk(sealed, reader.keys, reader.tenant_id, place)
    except (ObjectMissing, sealing.SealBroken):
        return None
