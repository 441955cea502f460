"""A pack as it is put together: by agents, of scripts' files, and in place of sparse packs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from libs.shared.packs.codec import Bytes, compress
from libs.shared.packs.wire import (
    CHUNK_RECORD,
    END_MAGIC,
    FRAME_RECORD,
    MAGIC,
    MAX_CHUNKS,
    MAX_GROUP_BYTES,
    TARGET_PACK_BYTES,
    TARGET_PACK_PLAIN_BYTES,
    TRAILER,
    PackedChunk,
)


class Pack(msgspec.Struct, frozen=True, gc=False):
    """A finished pack: its id (SHA-256 of index and trailer, in hexadecimal) and its bytes."""

    id: str
    body: memoryview

    def reclaim(self) -> bytearray:
        """Give the memory up, for the next builder; the body can't be used any more."""
        buffer = self.body.obj
        self.body.release()
        assert isinstance(buffer, bytearray)
        return buffer


class PackBuilder:
    """Collects chunks into one pack; not to be shared between threads while it fills.

    buffer: memory of an earlier pack that was reclaimed; new memory costs the system much.
    """

    def __init__(self, buffer: bytearray | None = None) -> None:
        self.chunk_ids: set[bytes] = set()
        self.plain_bytes = 0
        self.frames = 0
        self._body = bytearray() if buffer is None else buffer
        self._filled = 0
        self._frame_records = bytearray()
        self._chunk_records = bytearray()
        self._group = bytearray()
        self._grouped: list[PackedChunk] = []
        self._append(MAGIC)

    @property
    def is_full(self) -> bool:
        """Has the pack reached the size at which it should be finished and sent?"""
        index_bytes = len(self._frame_records) + len(self._chunk_records)
        return (
            self._filled + index_bytes + len(self._group) >= TARGET_PACK_BYTES
            or self.plain_bytes >= TARGET_PACK_PLAIN_BYTES
            or len(self.chunk_ids) >= MAX_CHUNKS // 2
        )

    def add(self, chunk_id: bytes, content: Bytes) -> None:
        """Take a chunk in, once if it comes twice; small ones share a frame with what follows."""
        size = len(content)
        if chunk_id in self.chunk_ids:
            return
        if 2 * size >= MAX_GROUP_BYTES:
            self.add_frame(*compress(content), [PackedChunk(chunk_id, size)])
            return
        if len(self._group) + size > MAX_GROUP_BYTES:
            self._close_group()
        self.chunk_ids.add(chunk_id)
        self._group += content
        self._grouped.append(PackedChunk(chunk_id, size))
        self.plain_bytes += size

    def add_frame(self, payload: Bytes, encoding: int, chunks: Sequence[PackedChunk]) -> None:
        """Append a whole frame, as `compress` returned it, of chunks that aren't there yet."""
        self._append_frame(payload, encoding, chunks)
        self.chunk_ids.update([chunk.chunk_id for chunk in chunks])
        self.plain_bytes += sum([chunk.size for chunk in chunks])

    def finish(self) -> Pack:
        """The finished pack; it takes the builder's memory over, so add nothing afterwards."""
        self._close_group()
        index_start = self._filled
        self._append(self._frame_records)
        self._append(self._chunk_records)
        self._append(TRAILER.pack(self.frames, len(self.chunk_ids), END_MAGIC))
        body = memoryview(self._body)[: self._filled]
        return Pack(hashlib.sha256(body[index_start:]).hexdigest(), body)

    def _close_group(self) -> None:
        if self._grouped:
            self._append_frame(*compress(self._group), self._grouped)
            self._group.clear()
            self._grouped.clear()

    def _append_frame(self, payload: Bytes, encoding: int, chunks: Sequence[PackedChunk]) -> None:
        self._append(payload)
        self._frame_records += FRAME_RECORD.pack(len(payload), len(chunks), encoding)
        self._chunk_records += b"".join([CHUNK_RECORD.pack(*chunk) for chunk in chunks])
        self.frames += 1

    def _append(self, piece: Bytes) -> None:
        """Write over what the buffer held before; where it ends, it grows."""
        end = self._filled + len(piece)
        self._body[self._filled : end] = piece
        self._filled = end
