"""What the tests of the shared modules have in common: pools, background loops, patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import UUID

import pytest

from libs.shared import database, inbox, outbox
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import AllowanceChanged, VolumeChanged
from tests.shared.processes import start  # noqa: F401 - a fixture for all
from tests.shared.site import Caller, open_site
from tests.world.senders import SENDERS, SIGNERS

TENANT = UUID("5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0001")


def volume(sequence: int) -> VolumeChanged:
    """An event that quota and portal hear; `sequence` tells one from another."""
    return VolumeChanged(
        tenant_id=TENANT, stored_bytes=sequence, protected_bytes=0, sequence=sequence
    )


def allowance(version: int) -> AllowanceChanged:
    """An event that quota says."""
    return AllowanceChanged(tenant_id=TENANT, version=version, ceiling_bytes=1, blocked=False)


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = 60, what: str = "it") -> Any:
    """Waits until something holds, and returns it; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := await holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds} seconds")
        await asyncio.sleep(0.02)
    return found


async def count_read(conn: Any, table: str) -> int:
    """How many rows of a table of the catalogue this transaction has read so far."""
    read: int = await conn.fetchval(
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables"
        " WHERE schemaname = 'catalogue' AND relname = $1",
        table,
    )
    return read


class Side:
    """One service's side of the exchange in a test: its pool, and loops that can be ended."""

    def __init__(self, service: str, dsn: str, amqp_url: str, pool: Pool) -> None:
        self.service = service
        self.dsn = dsn
        self.amqp_url = amqp_url
        self.pool = pool
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, coroutine: Any) -> asyncio.Task[None]:
        """Runs something beside the test until its end."""
        task = asyncio.create_task(coroutine)
        self.tasks.append(task)
        return task

    def relay(self) -> outbox.Relay:
        """Starts a relay of this service."""
        relay = outbox.Relay(self.service, self.dsn, self.amqp_url, SIGNERS[self.service])
        self.start(relay.run())
        return relay

    def listen(self, handlers: inbox.Handlers | None = None) -> inbox.Consumer:
        """Starts the consumer and, with handlers, the workers of this service."""
        workers = inbox.Workers(self.service, self.pool, handlers or {})
        consumer = inbox.Consumer(self.service, self.pool, self.amqp_url, workers.wake, SENDERS)
        self.start(consumer.run())
        if handlers is not None:
            self.start(workers.run())
        return consumer

    async def end(self) -> None:
        """Ends all loops; one that had died raises here."""
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def say(self, *events: Any) -> list[UUID]:
        """Commits events into the outbox."""
        async with database.transaction(self.pool) as conn:
            return await outbox.add_all(conn, events)

    async def value(self, sql: str, *arguments: Any) -> Any:
        """One value of the service's tables, even while a test cuts connections."""
        for _ in range(20):
            with suppress(Unavailable):
                async with database.acquire(self.pool) as conn:
                    return await conn.fetchval(sql, *arguments)
        raise Unavailable("database")

    async def all_published(self) -> bool:
        """Whether the outbox holds nothing unpublished."""
        return not await self.value("SELECT count(*) FROM outbox WHERE published_at IS NULL")

    async def handled(self, count: int) -> bool:
        """Whether that many events are done."""
        done = await self.value("SELECT count(*) FROM inbox WHERE state = 'done'")
        return bool(done >= count)


Sides = Callable[..., Awaitable[Side]]


@pytest.fixture
async def side(database: Any, amqp_url: str) -> AsyncIterator[Sides]:
    """Makes the sides that a test needs: `await side("ingest")`, on the test's broker."""
    made: list[Side] = []
    async with AsyncExitStack() as stack:

        async def make(service: str, url: str = amqp_url) -> Side:
            dsn = database.dsn(service)
            pool = await _pool(dsn, service)
            stack.push_async_callback(pool.close)
            new = Side(service, dsn, url, pool)
            stack.push_async_callback(new.end)
            made.append(new)
            return new

        yield make


async def _pool(dsn: str, service: str) -> Pool:
    return await database.create_pool(dsn, service)


@pytest.fixture
async def client() -> AsyncIterator[Caller]:
    """A client of a site of the test's own."""
    async with open_site() as client:
        yield client
