"""A pack on the wire: magic, frames, index, trailer (docs/protocol.md, section 3)."""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

from libs.shared import errors
from libs.shared.packs.codec import MAX_CHUNK_BYTES, RAW, ZSTD, Bytes

MAGIC = b"CFPACK2\n"
END_MAGIC = b"CFP2"
MAX_PACK_BYTES = 32 * 1024 * 1024
MAX_CHUNKS = 65_536
# What one small file costs its reader: all of its frame is opened and unpacked.
MAX_GROUP_BYTES = 256 * 1024
TARGET_PACK_BYTES = 16 * 1024 * 1024
TARGET_PACK_PLAIN_BYTES = 128 * 1024 * 1024
# A pack is finished once its content has passed the target: with one chunk more than that it may
# come. What it weighs is no measure: a disk's image of nearly nothing is a thousandth of itself.
MAX_PACK_PLAIN_BYTES = TARGET_PACK_PLAIN_BYTES + MAX_CHUNK_BYTES

FRAME_RECORD = struct.Struct(">IIB")
CHUNK_RECORD = struct.Struct(">32sI")
TRAILER = struct.Struct(">II4s")


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
    title = "The pack's index is not what its name says"


class ChunkBomb(PackRejected):
    code = "chunk-bomb"
    title = "A frame unpacks to more than its chunks declare"


class ChunkSizeMismatch(PackRejected):
    code = "chunk-size-mismatch"
    title = "A frame unpacks to less than its chunks declare"


class ChunkUndecodable(PackRejected):
    code = "chunk-undecodable"
    title = "A frame can't be decompressed"


class ChunkHashMismatch(PackRejected):
    code = "chunk-hash-mismatch"
    title = "A chunk's content is not what its id says"


class PackedChunk(NamedTuple):
    """A chunk as the index names it."""

    chunk_id: bytes
    size: int


class PackedFrame(msgspec.Struct, frozen=True, gc=False):
    """Where a frame lies in a pack's body, how much it unpacks to, and the chunks in it."""

    offset: int
    length: int
    size: int
    encoding: int
    chunks: list[PackedChunk]


def parse(body: Bytes) -> list[PackedFrame]:
    """The index of a pack, in payload order; PackMalformed unless it accounts for every byte."""
    view = memoryview(body)
    count, index_start, chunks_start, index_end = find_index(view)
    chunks = [PackedChunk(*one) for one in CHUNK_RECORD.iter_unpack(view[chunks_start:index_end])]
    if min([chunk.size for chunk in chunks]) < 1:
        raise PackMalformed("A chunk declares no content.")
    if len({chunk.chunk_id for chunk in chunks}) != count:
        raise PackMalformed("A chunk is in the pack twice.")
    frames: list[PackedFrame] = []
    offset, first = len(MAGIC), 0
    for length, members, encoding in FRAME_RECORD.iter_unpack(view[index_start:chunks_start]):
        held = chunks[first : first + members]
        frame = PackedFrame(offset, length, sum([one.size for one in held]), encoding, held)
        if len(held) != members:
            raise PackMalformed(f"Its frames have more than its {count} chunks.")
        _check_frame(frame)
        frames.append(frame)
        offset, first = offset + length, first + members
    if offset != index_start or first != count:
        raise PackMalformed("The index does not account for every byte and chunk of the pack.")
    plain_bytes = sum([frame.size for frame in frames])
    if plain_bytes > MAX_PACK_PLAIN_BYTES:
        raise PackMalformed(f"The chunks of the pack unpack to {plain_bytes} bytes together.")
    return frames


def _check_frame(frame: PackedFrame) -> None:
    most_bytes = MAX_CHUNK_BYTES if len(frame.chunks) == 1 else MAX_GROUP_BYTES
    if not 1 <= frame.size <= most_bytes:
        raise PackMalformed(
            f"A frame of {len(frame.chunks)} chunks declares {frame.size} bytes of content."
        )
    length, encoding = frame.length, frame.encoding
    if encoding > ZSTD or length == 0 or (encoding == RAW and length != frame.size):
        raise PackMalformed(
            f"A frame of {frame.size} bytes declares {length} stored ones in encoding {encoding}."
        )


def find_index(view: memoryview) -> tuple[int, int, int, int]:
    """(chunks, where the records of frames begin, those of chunks, and where these end)."""
    if not len(MAGIC) + TRAILER.size < len(view) <= MAX_PACK_BYTES:
        raise PackMalformed(f"A pack has at most {MAX_PACK_BYTES} bytes; this has {len(view)}.")
    if view[: len(MAGIC)] != MAGIC:
        raise PackMalformed("The first bytes are not those of a pack.")
    index_end = len(view) - TRAILER.size
    frames, chunks, end = TRAILER.unpack(view[index_end:])
    if end != END_MAGIC:
        raise PackMalformed("The last bytes are not those of a pack: it may be cut short.")
    if not 1 <= frames <= chunks <= MAX_CHUNKS:
        raise PackMalformed(f"The trailer declares {chunks} chunks in {frames} frames.")
    chunks_start = index_end - chunks * CHUNK_RECORD.size
    index_start = chunks_start - frames * FRAME_RECORD.size
    if index_start < len(MAGIC):
        raise PackMalformed("The index is longer than the pack.")
    return chunks, index_start, chunks_start, index_end
