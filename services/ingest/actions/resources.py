"""What the actions work with, and how much of it at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from libs.shared.database import Pool
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.ingest.actions.memory import Budget, Buffers

T = TypeVar("T")

PACK_MEMORY_BYTES = 192 * 1024 * 1024
"""Bodies being received, verified, sealed and put; a pack of 16 MiB counts twice that."""
PACK_WAIT_SECONDS = 120.0
THREADS = 2
FILES_AT_ONCE = 6
"""Whole files that are cut here at once; each keeps a thread and part of the pack memory."""
FILES_OF_TENANT = 3
FILE_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Resources:
    """Pool, store, keys and limits of one process."""

    pool: Pool
    objects: ObjectStore
    keys: KeyRing
    lease: timedelta
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="verify")
    )
    pack_memory: Budget = field(default_factory=lambda: Budget(PACK_MEMORY_BYTES))
    buffers: Buffers = field(default_factory=Buffers)
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
