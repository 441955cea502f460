"""Chunks and frames: a chunk's id, a frame's compressed payload, and back."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import groupby
from typing import Protocol, TypeVar

import zstandard
from blake3 import blake3

RAW = 0
ZSTD = 1
MAX_CHUNK_BYTES = 4 * 1024 * 1024

# Of frames that hold many small chunks, level 2 takes a seventh more time for 5 % fewer bytes
# (docs/decisions/0067). It passes over what can't be compressed by itself.
_LEVEL = 1
_MAX_WINDOW_BYTES = 8 * 1024 * 1024


Bytes = bytes | bytearray | memoryview


class Fault(Enum):
    """How a payload differs from what is said of it."""

    TOO_LONG = 1
    TOO_SHORT = 2
    UNDECODABLE = 3


class InFrame(Protocol):
    """Where a chunk lies: its frame's place in a pack, and its own in the frame's content.

    frame_size: of all of that content; 0 where a chunk was sealed alone.
    """

    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def encoding(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def frame_size(self) -> int: ...


Place = TypeVar("Place", bound=InFrame)


class PayloadInvalid(Exception):  # noqa: N818 - named after what happened
    """A payload that is not what its encoding and size say."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


class _Codecs(threading.local):
    """Codecs of a thread: costly to make, unsafe to share."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)


_codecs = _Codecs()


def is_named(content: Bytes, chunk_id: bytes, chunk_keys: Iterable[bytes]) -> bool:
    """Whether an id is that of a content, under one of a tenant's chunk keys."""
    return any(blake3(content, key=key).digest() == chunk_id for key in chunk_keys)


def chunk_id(content: Bytes, chunk_key: bytes) -> bytes:
    """BLAKE3-256 of the plain content, keyed with the tenant's 32-byte chunk key."""
    return blake3(content, key=chunk_key).digest()


def compress(content: Bytes) -> tuple[Bytes, int]:
    """(payload, encoding): a zstd frame, or the content itself where that saves less than 3 %."""
    size = len(content)
    payload = _codecs.compressor.compress(content)
    if len(payload) * 100 >= size * 97:
        return content, RAW
    return payload, ZSTD


def unpack(payload: Bytes, encoding: int, size: int) -> bytes:
    """The plain content of a payload; PayloadInvalid unless it is exactly `size` bytes.

    Allocates no more than `size` bytes, whatever the payload says of itself.
    """
    if encoding == ZSTD:
        return decompress(payload, size)
    if encoding != RAW or len(payload) != size:
        fault = Fault.TOO_LONG if len(payload) > size else Fault.TOO_SHORT
        raise PayloadInvalid(fault, f"{len(payload)} bytes in encoding {encoding}, not {size}")
    return bytes(payload)


def unpack_frame(payload: Bytes, place: InFrame) -> memoryview:
    """The content of the frame in which a chunk lies; raises PayloadInvalid.

    Where it isn't compressed that is the payload's own memory, not a copy of it.
    """
    size = place.frame_size or place.size
    if place.encoding == RAW and len(payload) == size:
        return memoryview(payload)
    return memoryview(unpack(payload, place.encoding, size))


def by_frame(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Chunks of one pack that follow each other and lie in the same frame, together."""
    for _, chunks in groupby(places, lambda place: place.offset):
        yield list(chunks)


def cut_out(frame: memoryview, place: InFrame) -> memoryview:
    """A chunk's part of its frame's content."""
    return frame[place.start : place.start + place.size]


def decompress(payload: Bytes, size: int) -> bytes:
    """The content of exactly one zstd frame of exactly `size` bytes, else PayloadInvalid."""
    try:
        # For a frame that declares its content the library allocates that much, and its own
        # limit of the window holds for streams alone: look first.
        frame = zstandard.get_frame_parameters(payload)
        declared = frame.content_size
        if declared in (size, zstandard.CONTENTSIZE_UNKNOWN):
            if frame.window_size > _MAX_WINDOW_BYTES:
                raise PayloadInvalid(
                    Fault.UNDECODABLE, f"a frame with a window of {frame.window_size} bytes"
                )
            content = _codecs.decompressor.decompress(
                payload, max_output_size=size, allow_extra_data=False
            )
            held = len(content)
        else:
            held = declared
    except zstandard.ZstdError as error:
        raise PayloadInvalid(Fault.UNDECODABLE, str(error)) from error
    if held != size:
        fault = Fault.TOO_LONG if held > size else Fault.TOO_SHORT
        raise PayloadInvalid(fault, f"a frame of {held} bytes, not {size}")
    return content
