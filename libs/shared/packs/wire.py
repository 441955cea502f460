"""A pack on the wire: magic, payloads, index, trailer (docs/protocol.md, section 3)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import msgspec
from isal import isal_zlib

from libs.shared import errors
from libs.shared.packs.codec import (
    MAX_CHUNK_BYTES,
    RAW,
    ZSTD,
    Bytes,
    Fault,
    PayloadInvalid,
    decompress,
    is_named,
)

MAGIC = b"CFPACK1\n"
END_MAGIC = b"CFP1"
MAX_PACK_BYTES = 32 * 1024 * 1024
MAX_CHUNKS = 65_536
TARGET_PACK_BYTES = 16 * 1024 * 1024
TARGET_PACK_PLAIN_BYTES = 128 * 1024 * 1024
# A pack is finished once its content has passed the target: with one chunk more than that it may
# come. What it weighs is no measure: a disk's image of nearly nothing is a thousandth of itself.
MAX_PACK_PLAIN_BYTES = TARGET_PACK_PLAIN_BYTES + MAX_CHUNK_BYTES
SLICE_PLAIN_BYTES = 32 * 1024 * 1024
SWELLING = 16

_RECORD = struct.Struct(">32sIIB")
_TRAILER = struct.Struct(">II4s")


class PackRejected(errors.Refusal):
    """A pack that is refused as a whole; nothing of it is stored."""

    code = "pack-rejected"
    status = 422
    title = "The pack was refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def detail(self) -> str:
        return f"{self.reason} Build the pack again and send it once more."


class PackMalformed(PackRejected):
    code = "pack-malformed"
    title = "The pack does not have the form of a pack"


class PackHashMismatch(PackRejected):
    code = "pack-hash-mismatch"
    title = "The pack is not what its name says"


class ChunkBomb(PackRejected):
    code = "chunk-bomb"
    title = "A chunk unpacks to more than it declares"


class ChunkSizeMismatch(PackRejected):
    code = "chunk-size-mismatch"
    title = "A chunk unpacks to less than it declares"


class ChunkUndecodable(PackRejected):
    code = "chunk-undecodable"
    title = "A chunk can't be decompressed"


class ChunkHashMismatch(PackRejected):
    code = "chunk-hash-mismatch"
    title = "A chunk's content is not what its id says"


_REFUSALS: dict[Fault, type[PackRejected]] = {
    Fault.TOO_LONG: ChunkBomb,
    Fault.TOO_SHORT: ChunkSizeMismatch,
    Fault.UNDECODABLE: ChunkUndecodable,
}


class Pack(msgspec.Struct, frozen=True, gc=False):
    """A finished pack: its id (SHA-256 in hexadecimal) and its bytes."""

    id: str
    body: memoryview

    def reclaim(self) -> bytearray:
        """Give the memory up, for the next builder; the body can't be used any more."""
        buffer = self.body.obj
        self.body.release()
        assert isinstance(buffer, bytearray)
        return buffer


class PackedChunk(msgspec.Struct, frozen=True, gc=False):
    """Where a chunk lies in a pack's body, and what its index says of it."""

    chunk_id: bytes
    offset: int
    length: int
    size: int
    encoding: int


class VerifiedChunk(msgspec.Struct, frozen=True, gc=False):
    """A chunk whose content was seen to be what its id says; crc32 is of the plain content."""

    chunk_id: bytes
    offset: int
    length: int
    size: int
    encoding: int
    crc32: int


class PackBuilder:
    """Collects chunks into one pack; not to be shared between threads while it fills.

    buffer: memory of an earlier pack that was reclaimed; new memory costs the system much.
    """

    def __init__(self, buffer: bytearray | None = None) -> None:
        self.chunk_ids: set[bytes] = set()
        self.plain_bytes = 0
        self._body = bytearray() if buffer is None else buffer
        self._filled = 0
        self._index = bytearray()
        self._append(MAGIC)

    @property
    def length(self) -> int:
        """How many bytes the pack would have if it were finished now."""
        return self._filled + len(self._index) + _TRAILER.size

    @property
    def is_full(self) -> bool:
        """Has the pack reached the size at which it should be finished and sent?"""
        return (
            self._filled + len(self._index) >= TARGET_PACK_BYTES
            or self.plain_bytes >= TARGET_PACK_PLAIN_BYTES
            or len(self.chunk_ids) >= MAX_CHUNKS // 2
        )

    def add(self, chunk_id: bytes, payload: Bytes, size: int, encoding: int) -> None:
        """Append a chunk as `compress` returned it; the same id twice is kept once."""
        if chunk_id in self.chunk_ids:
            return
        self.chunk_ids.add(chunk_id)
        self._append(payload)
        self._index += _RECORD.pack(chunk_id, len(payload), size, encoding)
        self.plain_bytes += size

    def finish(self) -> Pack:
        """The finished pack; it takes the builder's memory over, so add nothing afterwards."""
        self._append(self._index)
        self._append(_TRAILER.pack(len(self.chunk_ids), len(self._index), END_MAGIC))
        body = memoryview(self._body)[: self._filled]
        return Pack(hashlib.sha256(body).hexdigest(), body)

    def _append(self, piece: Bytes) -> None:
        """Write over what the buffer held before; where it ends, it grows."""
        end = self._filled + len(piece)
        self._body[self._filled : end] = piece
        self._filled = end


def parse(body: Bytes) -> list[PackedChunk]:
    """The index of a pack, in payload order; PackMalformed unless it accounts for every byte."""
    view = memoryview(body)
    count, index_start, index_end = _find_index(view, MAGIC, END_MAGIC, _RECORD.size)
    chunks: list[PackedChunk] = []
    offset = len(MAGIC)
    plain_bytes = 0
    for chunk_id, length, size, encoding in _RECORD.iter_unpack(view[index_start:index_end]):
        if not 1 <= size <= MAX_CHUNK_BYTES:
            raise PackMalformed(f"Chunk {chunk_id.hex()} declares {size} bytes.")
        if encoding > ZSTD or length == 0 or (encoding == RAW and length != size):
            raise PackMalformed(
                f"Chunk {chunk_id.hex()} declares {length} stored bytes in encoding {encoding}."
            )
        chunks.append(PackedChunk(chunk_id, offset, length, size, encoding))
        offset += length
        plain_bytes += size
    if offset != index_start:
        raise PackMalformed("The index does not account for every byte of the pack.")
    if plain_bytes > MAX_PACK_PLAIN_BYTES:
        raise PackMalformed(f"The chunks of the pack unpack to {plain_bytes} bytes together.")
    if len({chunk.chunk_id for chunk in chunks}) != count:
        raise PackMalformed("A chunk is in the pack twice.")
    return chunks


def _find_index(
    view: memoryview, magic: bytes, end_magic: bytes, record_bytes: int
) -> tuple[int, int, int]:
    """(number of records, start and end of the index) after checking the frame around it."""
    if not len(magic) + _TRAILER.size < len(view) <= MAX_PACK_BYTES:
        raise PackMalformed(f"A pack has at most {MAX_PACK_BYTES} bytes; this has {len(view)}.")
    if view[: len(magic)] != magic:
        raise PackMalformed("The first bytes are not those of a pack.")
    index_end = len(view) - _TRAILER.size
    count, index_bytes, end = _TRAILER.unpack(view[index_end:])
    if end != end_magic:
        raise PackMalformed("The last bytes are not those of a pack: it may be cut short.")
    if not 1 <= count <= MAX_CHUNKS or index_bytes != count * record_bytes:
        raise PackMalformed(f"The trailer declares {count} chunks in {index_bytes} bytes.")
    index_start = index_end - index_bytes
    if index_start < len(magic):
        raise PackMalformed("The index is longer than the pack.")
    return count, index_start, index_end


def verify(body: Bytes, sha256_hex: str, chunk_keys: Sequence[bytes]) -> list[VerifiedChunk]:
    """Check a received pack to its last byte: its hash, its form, each chunk's content.

    Raises the PackRejected that says what is wrong first.
    """
    verification = Verification(body, sha256_hex, chunk_keys)
    verification.begin()
    while not verification.is_done:
        verification.go_on()
    return verification.chunks


class Verification:
    """As `verify`, in steps of some tens of milliseconds each, so that others get their turn."""

    def __init__(self, body: Bytes, sha256_hex: str, chunk_keys: Sequence[bytes]) -> None:
        self.chunks: list[VerifiedChunk] = []
        self._body = memoryview(body)
        self._sha256_hex = sha256_hex
        self._chunk_keys = chunk_keys
        self._packed: list[PackedChunk] = []

    def begin(self) -> None:
        """The pack as a whole: its hash, its form."""
        if hashlib.sha256(self._body).hexdigest() != self._sha256_hex:
            raise PackHashMismatch(
                "The SHA-256 of the bytes received is not the one in the address."
            )
        self._packed = parse(self._body)

    @property
    def is_done(self) -> bool:
        """Has each chunk been looked at?"""
        return len(self.chunks) == len(self._packed)

    @property
    def swells(self) -> bool:
        """Does it unpack to much more than a pack of files usually does?"""
        return sum(chunk.size for chunk in self._packed) > SWELLING * len(self._body)

    def go_on(self) -> None:
        """The next chunks, some 32 MiB of content."""
        plain_bytes = 0
        for chunk in self._packed[len(self.chunks) :]:
            self.chunks.append(_verify_chunk(self._body, chunk, self._chunk_keys))
            plain_bytes += chunk.size
            if plain_bytes >= SLICE_PLAIN_BYTES:
                break


def _verify_chunk(
    view: memoryview, chunk: PackedChunk, chunk_keys: Sequence[bytes]
) -> VerifiedChunk:
    chunk_id, offset, length = chunk.chunk_id, chunk.offset, chunk.length
    payload = view[offset : offset + length]
    plain: Bytes = payload
    if chunk.encoding == ZSTD:
        try:
            plain = decompress(payload, chunk.size)
        except PayloadInvalid as error:
            raise _REFUSALS[error.fault](f"Chunk {chunk_id.hex()}: {error}.") from error
    if not is_named(plain, chunk_id, chunk_keys):
        raise ChunkHashMismatch(f"Chunk {chunk_id.hex()} has another content.")
    crc32 = isal_zlib.crc32(plain)
    return VerifiedChunk(chunk_id, offset, length, chunk.size, chunk.encoding, crc32)
