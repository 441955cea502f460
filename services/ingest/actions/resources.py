"""What the actions work with, and how much of it clients may have at once.

Whatever is waited for has a share per client (`libs.shared.shares`): one that takes all it can
get leaves the rest to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from libs.shared import database, heartbeats
from libs.shared.database import Connection, Pool
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from libs.shared.shares import Pace, Shares
from services.ingest.actions.memory import Buffers
from services.ingest.actions.underway import UnderWay

T = TypeVar("T")

PACK_MEMORY_BYTES = 192 * 1024 * 1024
"""Packs being received, verified, sealed and put; one of 16 MiB counts twice that."""
PACK_MEMORY_SHARE_BYTES = 128 * 1024 * 1024
"""What the four packs take that an agent sends at once."""
WAIT_SECONDS = 120.0
LINE_SECONDS = 60.0
"""How long a plan's next call waits for the one before: a commit may take minutes."""
THREADS = 2
REQUESTS_OF_CLIENT = 400
REQUESTS_A_SECOND = 150.0
"""More of one client come a little later: three uploads of small files at a time are fewer."""
REQUEST_TOLD_SECONDS = 5.0
"""How soon a request beyond those in hand is told so: each costs a look at its token."""
STARTS_A_SECOND = 20.0
BURST_OF_CLIENT = 50
STARTS_OF_PLAN_A_SECOND = 1.0
BURST_OF_PLAN = 50
HEADS = 64
SLOW_BODIES_OF_CLIENT = 128
FILES_OF_CLIENT = 3


def _pack_memory() -> Shares:
    return Shares("intake", most=PACK_MEMORY_SHARE_BYTES, total=PACK_MEMORY_BYTES)


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
    turns: Shares = field(default_factory=lambda: Shares("processor", most=THREADS, total=THREADS))
    """Work in threads, in slices: a client may have all of them while nobody else wants one."""
    swelling: Shares = field(default_factory=lambda: Shares("processor", most=1, total=1))
    """Packs that unpack to many times their size, of all clients."""
    pace: Pace = field(default_factory=lambda: Pace(REQUESTS_A_SECOND, burst=BURST_OF_CLIENT))
    starts: Pace = field(default_factory=lambda: Pace(STARTS_A_SECOND, burst=BURST_OF_CLIENT))
    plan_starts: Pace = field(
        default_factory=lambda: Pace(STARTS_OF_PLAN_A_SECOND, burst=BURST_OF_PLAN)
    )
    requests: Shares = field(
        default_factory=lambda: Shares(
            "connections",
            most=REQUESTS_OF_CLIENT,
            line=0,
            told_after_seconds=REQUEST_TOLD_SECONDS,
        )
    )
    pack_memory: Shares = field(default_factory=_pack_memory)
    heads: Shares = field(
        default_factory=lambda: Shares("intake", most=HEADS * 5 // 8, total=HEADS)
    )
    """Bodies of which the first bytes are being received."""
    slow_bodies: Shares = field(
        default_factory=lambda: Shares("intake", most=SLOW_BODIES_OF_CLIENT, line=0)
    )
    """Bodies that come slowly, and so lie on disk until they are whole."""
    files: Shares = field(default_factory=lambda: Shares("intake", most=FILES_OF_CLIENT))
    """Whole files that are being received."""
    buffers: Buffers = field(default_factory=Buffers)
    batches: Shares = field(default_factory=lambda: Shares("catalogue", most=2, total=3))
    """Batches of entries that are in memory at once; one may take 100 MB."""
    lines: Shares = field(default_factory=lambda: Shares("plan", most=1, line=32))
    """One line for each plan: who waits for it holds nothing."""
    key_makers: Shares = field(default_factory=lambda: Shares("keys", most=1, line=64))
    under_way: UnderWay = field(default_factory=UnderWay)

    async def in_thread(self, who: UUID | None, function: Callable[..., T], *args: object) -> T:
        """Runs what would keep the event loop busy; at most some tens of milliseconds of it.

        who: the client for whom; None for the house itself.
        """
        async with self.turns.hold(who):
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self.threads, function, *args
                )
            finally:
                heartbeats.beat()

    def acquire(self, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """A connection without a transaction, of a client's share."""
        return database.acquire(self.pool, tenant_id)

    def transaction(self, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """A transaction on a connection of a client's share."""
        return database.transaction(self.pool, tenant_id)

    def close(self) -> None:
        """Lets the threads end."""
        self.threads.shutdown(wait=False, cancel_futures=True)
