"""Where a file is cut: FastCDC with boundaries of the tenant's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from blake3 import blake3
from pyfastcdc import FastCDC

WHOLE_BELOW_BYTES = 512 * 1024
MIN_CUT_BYTES = 256 * 1024
AVERAGE_CUT_BYTES = 1024 * 1024
MAX_CUT_BYTES = 4 * 1024 * 1024
_BUFFER_BYTES = 2 * MAX_CUT_BYTES


class Readable(Protocol):
    """A binary file, buffered or not."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Chunker:
    """Cuts files into chunks at places that depend on the content and on the tenant's chunk key.

    Keeps 8 MiB for each file that was ever cut at the same time; may be shared between threads.
    """

    def __init__(self, chunk_key: bytes) -> None:
        self._cdc = FastCDC(
            AVERAGE_CUT_BYTES,
            min_size=MIN_CUT_BYTES,
            max_size=MAX_CUT_BYTES,
            seed=cut_seed(chunk_key),
        )
        self._buffers: list[bytearray] = []

    def cut(self, file: Readable) -> Iterator[memoryview]:
        """The chunks of a file in order, none for an empty one.

        A chunk is only valid until the next one is asked for.
        A file of less than 512 KiB is one chunk.
        """
        # The library's own reading of streams fills 8 MiB of zeros for every file.
        buffer = self._buffers.pop() if self._buffers else bytearray(_BUFFER_BYTES)
        try:
            yield from self._cut(file, memoryview(buffer))
        finally:
            self._buffers.append(buffer)

    def cut_portion(
        self, portion: memoryview, *, is_first: bool, is_last: bool
    ) -> Iterator[memoryview]:
        """The chunks of a file of which a part came: as `cut` finds them, those that are certain.

        What is not yielded is the next portion's beginning: less than 4 MiB, nothing of the last.
        """
        if is_first and is_last and len(portion) < WHOLE_BELOW_BYTES:
            if portion:
                yield portion
            return
        start = 0
        cutter = self._cdc.cut_buf(portion) if portion else iter(())
        # Nearer to the end of what is known a cut could depend on what follows.
        while start < len(portion) and (is_last or len(portion) - start >= MAX_CUT_BYTES):
            chunk = next(cutter)
            yield chunk.data
            start += chunk.length

    def _cut(self, file: Readable, view: memoryview) -> Iterator[memoryview]:
        filled = _fill(file, view)
        if 0 < filled < WHOLE_BELOW_BYTES:
            yield view[:filled]
            return
        is_end = filled < len(view)
        while filled:
            start = 0
            for chunk in self.cut_portion(view[:filled], is_first=False, is_last=is_end):
                yield chunk
                start += len(chunk)
            left = filled - start
            view[:left] = view[start:filled]
            filled = left
            if not is_end:
                filled += _fill(file, view[left:])
                is_end = filled < len(view)


def cut_seed(chunk_key: bytes) -> int:
    """The seed of a tenant's boundaries, below 2**63."""
    digest = blake3(chunk_key, derive_key_context="coffre 2026 fastcdc seed").digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _fill(file: Readable, buffer: memoryview) -> int:
    filled = 0
    while filled < len(buffer):
        count = file.readinto(buffer[filled:])
        if not count:
            break
        filled += count
    return filled
