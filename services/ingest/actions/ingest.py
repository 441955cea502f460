"""What the actions work with, and how much of it at once."""

from __future__ import annotations

import asyncio
import ctypes
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore

T = TypeVar("T")

PACK_MEMORY_BYTES = 192 * 1024 * 1024
"""Bodies being received, verified, sealed and put; a pack of 16 MiB counts twice that."""
PACK_WAIT_SECONDS = 120.0
THREADS = 2
FILES_AT_ONCE = 6
"""Whole files that are cut here at once; each keeps a thread and part of the pack memory."""
FILES_OF_TENANT = 3
FILE_MEMORY_BYTES = 16 * 1024 * 1024


_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def give_memory_back() -> None:
    """Makes glibc give large buffers back to the system as soon as they are freed.

    By itself it comes to keep them, fragmented, and a busy ingest would hold 150 MB more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
        mallopt(_M_ARENA_MAX, 2)


class Budget:
    """A number of bytes that many share; who asks first is served first."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.free_bytes = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size_bytes: int, wait_seconds: float) -> AsyncIterator[None]:
        """Holds that much while the block runs; Unavailable where the wait is too long."""
        size = min(size_bytes, self.total_bytes)
        await self._take(size, wait_seconds)
        try:
            yield
        finally:
            self._give(size)

    async def _take(self, size: int, wait_seconds: float) -> None:
        if not self._waiting and size <= self.free_bytes:
            self.free_bytes -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            async with asyncio.timeout(wait_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._give(size)
            else:
                self._waiting.remove((size, turn))
                self._give(0)
            if isinstance(error, TimeoutError):
                raise Unavailable("intake, which is busy,", 10) from None
            raise

    def _give(self, size: int) -> None:
        self.free_bytes += size
        while self._waiting and self._waiting[0][0] <= self.free_bytes:
            wanted, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self.free_bytes -= wanted
            turn.set_result(None)


@dataclass(frozen=True)
class Ingest:
    """Pool, store, keys and limits of one process."""

    pool: Pool
    objects: ObjectStore
    keys: KeyRing
    lease: timedelta
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="verify")
    )
    pack_memory: Budget = field(default_factory=lambda: Budget(PACK_MEMORY_BYTES))
    deltas: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Batches of entries that are unpacked at once; one may take 100 MB."""
    file_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="file")
    )
    files: Budget = field(default_factory=lambda: Budget(FILES_AT_ONCE))
    files_of: WeakValueDictionary[UUID, Budget] = field(default_factory=WeakValueDictionary)

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Runs what would keep the event loop busy."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, function, *arguments)

    @asynccontextmanager
    async def hold_file(self, tenant_id: UUID) -> AsyncIterator[None]:
        """Holds what cutting one file takes: a tenant's own turn first, so that none takes all."""
        own = self.files_of.setdefault(tenant_id, Budget(FILES_OF_TENANT))
        async with (
            own.hold(1, PACK_WAIT_SECONDS),
            self.files.hold(1, PACK_WAIT_SECONDS),
            self.pack_memory.hold(FILE_MEMORY_BYTES, PACK_WAIT_SECONDS),
        ):
            yield

    def close(self) -> None:
        """Lets the threads end."""
        self.file_threads.shutdown(wait=False, cancel_futures=True)
        self.threads.shutdown(wait=False, cancel_futures=True)
