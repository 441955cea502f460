"""Memory that is used again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SPARE_BUFFERS = 4
LARGEST_SPARE_BYTES = 20 * 1024 * 1024


class Buffers:
    """Memory of packs that were stored, for the next ones: fresh pages cost the system much."""

    def __init__(self) -> None:
        self._spare: list[bytearray] = []
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[Callable[[int], memoryview]]:
        """Gives a function that takes memory of a size, with anything in it, until the block's end.

        A block that is cancelled loses what it took: a thread of its may still be writing there.
        """
        taken: list[memoryview] = []

        def take(size_bytes: int) -> memoryview:
            memory = self._take(size_bytes)
            taken.append(memory)
            return memory

        try:
            yield take
        except asyncio.CancelledError:
            taken.clear()
            raise
        finally:
            for memory in taken:
                self._give(memory)

    def _take(self, size_bytes: int) -> memoryview:
        with self._lock:
            # A small pack must not keep the memory of a large one.
            fitting = [one for one in self._spare if size_bytes <= len(one) <= 2 * size_bytes]
            buffer = min(fitting, key=len, default=None)
            if buffer is not None:
                self._spare = [one for one in self._spare if one is not buffer]
        if buffer is None:
            # A little more than is asked for: packs are nearly the same size.
            buffer = bytearray(size_bytes + size_bytes // 16)
        return memoryview(buffer)[:size_bytes]

    def _give(self, memory: memoryview) -> None:
        buffer = memory.obj
        memory.release()
        assert isinstance(buffer, bytearray)
        with self._lock:
            if len(self._spare) < SPARE_BUFFERS and len(buffer) <= LARGEST_SPARE_BYTES:
                self._spare.append(buffer)
