"""A restore point on its way to a restorer: a list of entries and places, then chunks in bulk.

The portal writes the list and answers with chunks; the agent reads both, and asks in between
(docs/protocol.md, section 8).
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec
import zstandard

from libs.shared import errors, frames
from libs.shared.batches import check_batch, decompress, on_wire
from libs.shared.entries import FolderDelta
from libs.shared.frames import Source
from libs.shared.packs import MAX_CHUNK_BYTES, Bytes

MAX_PART_PLAIN_BYTES = 256 * 1024 * 1024
MAX_CHUNKS_ASKED = 16_384
MAX_BYTES_ASKED = 64 * 1024 * 1024

_LEVEL = 1
_RECORD = struct.Struct(">32sQIIIBII")
_HEAD = struct.Struct(">IB")
_MAX_PACK_NO = 2**63 - 1
# Sealing and a payload that can't be compressed add a little to the largest chunk.
_MAX_SEALED_BYTES = 2 * MAX_CHUNK_BYTES

MAX_REQUEST_BYTES = MAX_CHUNKS_ASKED * _RECORD.size
HEAD_BYTES = _HEAD.size
"""What stands before each payload of an answer."""
LOST = _HEAD.pack(0, 0)
"""The answer for a chunk that can't be read back as it was put there."""
AGAIN = _HEAD.pack(0, 1)
"""The answer for a chunk that lies in the frame of the one before it."""
ALONE = 2
"""In place of an encoding: what follows is the chunk itself, not its frame."""


class PlacedChunk(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A chunk and where it lies: `length` sealed bytes at `offset` of a pack are its frame.

    start: of the frame's content, which has `frame_size` bytes; 0 for a chunk sealed alone.
    Asking in the order of (pack_no, offset) reads each pack once.
    """

    chunk_id: bytes
    pack_no: int
    offset: int
    length: int
    size: int
    encoding: int
    start: int
    frame_size: int


class RestorePart(NamedTuple):
    """Some entries of a list, and the places of chunks that they are the first to need."""

    deltas: Sequence[FolderDelta]
    places: Sequence[PlacedChunk]


class ListInvalid(Exception):  # noqa: N818 - named after what happened
    """A part of a list that can't be read, or holds what no entry may; says why."""


class _Codecs(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.encoder = msgspec.msgpack.Encoder()
        self.decoder = msgspec.msgpack.Decoder(tuple[list[FolderDelta], list[PlacedChunk]])


_codecs = _Codecs()


def encode_part(part: RestorePart) -> bytes:
    """A part as a frame of the list, which `frames.END` ends."""
    plain = _codecs.encoder.encode((on_wire(part.deltas), part.places))
    return frames.frame(_codecs.compressor.compress(plain))


def read_parts(source: Source) -> Iterator[RestorePart]:
    """The parts of a list; raises ListInvalid, and FrameBroken where it was cut."""
    for body in frames.read_frames(source, MAX_PART_PLAIN_BYTES):
        try:
            plain = decompress(body, MAX_PART_PLAIN_BYTES)
            part = RestorePart(*_codecs.decoder.decode(plain))
            check_batch(part.deltas)
        except (zstandard.ZstdError, msgspec.MsgspecError, errors.Refusal) as error:
            raise ListInvalid(str(error)) from error
        yield part


def encode_request(places: Iterable[PlacedChunk]) -> bytes:
    """What asks for chunks, answered in this order."""
    return b"".join([_RECORD.pack(*msgspec.structs.astuple(one)) for one in places])


def decode_request(body: bytes | bytearray) -> list[PlacedChunk]:
    """The chunks that a request asks for; raises InvalidRequest."""
    if not body or len(body) % _RECORD.size or len(body) > MAX_REQUEST_BYTES:
        raise errors.InvalidRequest(
            f"The body is one record of {_RECORD.size} bytes for each chunk, 1 to"
            f" {MAX_CHUNKS_ASKED}."
        )
    wanted = [PlacedChunk(*record) for record in _RECORD.iter_unpack(body)]
    if max([one.length for one in wanted]) > _MAX_SEALED_BYTES:
        raise errors.InvalidRequest("No chunk has such a length.")
    if max([one.pack_no for one in wanted]) > _MAX_PACK_NO:
        raise errors.InvalidRequest("No pack has such a number.")
    together = groupby(wanted, lambda one: (one.pack_no, one.offset, one.length))
    if sum([length for (_, _, length), _ in together]) > MAX_BYTES_ASKED:
        raise errors.InvalidRequest(f"Ask for {MAX_BYTES_ASKED} bytes at most at once.")
    return wanted


def put_head(buffer: bytearray | memoryview, at: int, payload_bytes: int, encoding: int) -> None:
    """Write what stands before a payload into the buffer of an answer."""
    _HEAD.pack_into(buffer, at, payload_bytes, encoding)


def alone(content: Bytes) -> bytes:
    """The answer for a chunk by itself."""
    return b"".join((_HEAD.pack(len(content), ALONE), content))


def read_chunks(source: Source, count: int) -> Iterator[tuple[int, bytes]]:
    """(encoding, payload) that answer each chunk; raises FrameBroken where the answer was cut."""
    for _ in range(count):
        length, encoding = _HEAD.unpack(frames.read_exactly(source, HEAD_BYTES))
        if length > _MAX_SEALED_BYTES:
            raise frames.FrameBroken(f"a payload of {length} bytes")
        yield encoding, frames.read_exactly(source, length)
    frames.check_end(source)
