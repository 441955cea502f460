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


class Readable(Protocol):
    """A binary file, buffered or not."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Chunker:
    """Cuts files into chunks at places that depend on the content and on the tenant's chunk key.

    Holds about 8 MiB for each file that is being cut; may be shared between threads.
    """

    def __init__(self, chunk_key: bytes) -> None:
        self._cdc = FastCDC(
            AVERAGE_CUT_BYTES,
            min_size=MIN_CUT_BYTES,
            max_size=MAX_CUT_BYTES,
            seed=cut_seed(chunk_key),
        )

    def cut(self, file: Readable) -> Iterator[memoryview]:
        """The chunks of a file in order, none for an empty one.

        A chunk is only valid until the next one is asked for.
        A file of less than 512 KiB is one chunk.
        """
        head = memoryview(bytearray(WHOLE_BELOW_BYTES))
        filled = _fill(file, head)
        if filled == 0:
            return
        if filled < WHOLE_BELOW_BYTES:
            yield head[:filled]
            return
        for chunk in self._cdc.cut_stream(_Rejoined(head, file)):
            yield chunk.data


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


class _Rejoined:
    """A file whose head was read already, whole again."""

    def __init__(self, head: memoryview, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def readinto(self, buffer: memoryview) -> int:
        if len(self._head) == 0:
            return self._rest.readinto(buffer) or 0
        count = min(len(self._head), len(buffer))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count
