"""A received pack looked at to its last byte: nothing of it is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from isal import isal_zlib

from libs.shared.packs.codec import ZSTD, Bytes, Fault, PayloadInvalid, decompress, is_named
from libs.shared.packs.wire import (
    ChunkBomb,
    ChunkHashMismatch,
    ChunkSizeMismatch,
    ChunkUndecodable,
    PackedFrame,
    PackHashMismatch,
    PackRejected,
    find_index,
    parse,
)

SLICE_PLAIN_BYTES = 32 * 1024 * 1024
SWELLING = 16

_REFUSALS: dict[Fault, type[PackRejected]] = {
    Fault.TOO_LONG: ChunkBomb,
    Fault.TOO_SHORT: ChunkSizeMismatch,
    Fault.UNDECODABLE: ChunkUndecodable,
}


class VerifiedChunk(NamedTuple):
    """A chunk whose content was seen to be what its id says; crc32 is of the plain content."""

    chunk_id: bytes
    size: int
    crc32: int


class VerifiedFrame(msgspec.Struct, frozen=True, gc=False):
    """A frame of which every chunk was verified."""

    offset: int
    length: int
    size: int
    encoding: int
    chunks: list[VerifiedChunk]


def verify(body: Bytes, sha256_hex: str, chunk_keys: Sequence[bytes]) -> list[VerifiedFrame]:
    """Check a received pack to its last byte: its name, its form, each chunk's content.

    Raises the PackRejected that says what is wrong first.
    """
    verification = Verification(body, sha256_hex, chunk_keys)
    verification.begin()
    while not verification.is_done:
        verification.go_on()
    return verification.frames


class Verification:
    """As `verify`, in steps of some tens of milliseconds each, so that others get their turn."""

    def __init__(self, body: Bytes, sha256_hex: str, chunk_keys: Sequence[bytes]) -> None:
        self.frames: list[VerifiedFrame] = []
        self._body = memoryview(body)
        self._sha256_hex = sha256_hex
        self._chunk_keys = chunk_keys
        self._packed: list[PackedFrame] = []

    def begin(self) -> None:
        """The pack as a whole: its name, its form."""
        _, index_start, _, _ = find_index(self._body)
        if hashlib.sha256(self._body[index_start:]).hexdigest() != self._sha256_hex:
            raise PackHashMismatch(
                "The SHA-256 of the index received is not the one in the address."
            )
        self._packed = parse(self._body)

    @property
    def is_done(self) -> bool:
        """Has each frame been looked at?"""
        return len(self.frames) == len(self._packed)

    @property
    def swells(self) -> bool:
        """Does it unpack to much more than a pack of files usually does?"""
        return sum(frame.size for frame in self._packed) > SWELLING * len(self._body)

    def go_on(self) -> None:
        """The next frames, some 32 MiB of content."""
        plain_bytes = 0
        for frame in self._packed[len(self.frames) :]:
            self.frames.append(_verify_frame(self._body, frame, self._chunk_keys))
            plain_bytes += frame.size
            if plain_bytes >= SLICE_PLAIN_BYTES:
                break


def _verify_frame(
    view: memoryview, frame: PackedFrame, chunk_keys: Sequence[bytes]
) -> VerifiedFrame:
    plain = view[frame.offset : frame.offset + frame.length]
    if frame.encoding == ZSTD:
        try:
            plain = memoryview(decompress(plain, frame.size))
        except PayloadInvalid as error:
            first = frame.chunks[0].chunk_id.hex()
            raise _REFUSALS[error.fault](f"The frame of chunk {first}: {error}.") from error
    chunks: list[VerifiedChunk] = []
    start = 0
    for chunk_id, size in frame.chunks:
        content = plain[start : start + size]
        if not is_named(content, chunk_id, chunk_keys):
            raise ChunkHashMismatch(f"Chunk {chunk_id.hex()} has another content.")
        chunks.append(VerifiedChunk(chunk_id, size, isal_zlib.crc32(content)))
        start += size
    return VerifiedFrame(frame.offset, frame.length, frame.size, frame.encoding, chunks)
