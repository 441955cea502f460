"""What a restorer needs: the list of a restore point's entries, and chunks in bulk."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import zstandard

from libs.shared import errors
from libs.shared.catalogue import ROOT, ChunkPlace, EntryRow
from libs.shared.database import Pool
from libs.shared.entries import Entry, FolderDelta
from services.portal.actions import browsing, contents
from services.portal.actions.browsing import Place
from services.portal.actions.contents import Reader
from services.portal.rules import names

_ENTRIES_AT_ONCE = 2_000
_CHUNKS_AT_ONCE = 16_384
_LENGTH = struct.Struct(">I")
_CHUNK_HEAD = struct.Struct(">IB")

MAX_CHUNKS = 65_536
MAX_CHUNKS_PLAIN_BYTES = 32 << 20


async def write(pool: Pool, reader: Reader, place: Place) -> AsyncGenerator[bytes, None]:
    """Yields frames of entries with the places of their chunks; an empty one ends the list.

    A chunk's place comes no later than the first entry that needs it, and only once in a frame;
    one that is lost has none, and costs its file alone. Raises Unavailable."""
    async with aclosing(_batches(pool, place)) as batches:
        async for deltas in batches:
            ids = (
                one
                for delta in deltas
                for entry in delta.upserts
                for one in contents.split_ids(entry.chunks)
            )
            places: dict[bytes, ChunkPlace] = {}
            async with aclosing(contents.locate(reader, ids, must_exist=False)) as located:
                async for found in located:
                    places.update((one.chunk_id, one) for one in found)
                    # A huge file's places go ahead of it.
                    if len(places) >= _CHUNKS_AT_ONCE:
                        yield await asyncio.to_thread(_frame, [], places)
                        places = {}
            yield await asyncio.to_thread(_frame, deltas, places)
    yield _LENGTH.pack(0)


def _frame(deltas: list[FolderDelta], places: dict[bytes, ChunkPlace]) -> bytes:
    wire = [
        (one.chunk_id, one.pack_no, one.offset, one.size, one.encoding) for one in places.values()
    ]
    body = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode((deltas, wire)))
    return _LENGTH.pack(len(body)) + body


async def _batches(pool: Pool, place: Place) -> AsyncGenerator[list[FolderDelta], None]:
    """Some thousands of entries at a time, a folder's own before what is in it."""
    if place.entry is not ROOT:
        yield [FolderDelta(names.parent(place.path), [_entry(place.entry)], [])]
    if place.entry.kind != "d":
        return
    batch: list[FolderDelta] = []
    count = 0
    async with aclosing(browsing.walk(pool, place)) as walked:
        async for folder, entries in walked:
            batch.append(FolderDelta(folder, [_entry(entry) for entry in entries], []))
            count += len(entries)
            if count >= _ENTRIES_AT_ONCE:
                yield batch
                batch, count = [], 0
    if batch:
        yield batch


def _entry(row: EntryRow) -> Entry:
    return Entry(
        row.name,
        row.kind,
        row.mode,
        row.mtime_ns,
        row.uid,
        row.gid,
        row.size,
        row.target,
        row.chunk_ids,
    )


async def write_chunks(reader: Reader, chunk_ids: list[bytes]) -> AsyncGenerator[bytes, None]:
    """Yields each chunk, still compressed, behind its length and encoding, in the order asked.

    A length of 0 stands for a chunk that the store didn't give back as it was put there.

    Raises NotFound for a chunk that the tenant doesn't have, Unavailable."""
    try:
        async with aclosing(_write_chunks(reader, chunk_ids)) as pieces:
            async for piece in pieces:
                yield piece
    except contents.ChunkMissing:
        raise errors.NotFound("chunk") from None


async def _write_chunks(reader: Reader, chunk_ids: list[bytes]) -> AsyncGenerator[bytes, None]:
    waiting: list[bytes] = []
    held = 0
    places = contents.locate(reader, chunk_ids)
    async with aclosing(contents.read(reader, places, unpacked=False)) as chunks:
        async for chunk in chunks:
            waiting.append(_CHUNK_HEAD.pack(len(chunk.content), chunk.place.encoding))
            waiting.append(chunk.content)
            held += len(chunk.content)
            if held >= contents.PIECE_BYTES:
                yield b"".join(waiting)
                waiting, held = [], 0
    if waiting:
        yield b"".join(waiting)
