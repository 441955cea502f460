"""Which loops of a process give signs of life, and what keeps them from it: a bug, no outage."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from libs.shared import database, inbox, outbox, web
from libs.shared.bus import Delivery
from libs.shared.events import VolumeChanged
from libs.shared.heartbeats import Heartbeat
from libs.shared.runtime.jobs import Job, Runner
from libs.shared.signatures import Senders, Signer
from tests.shared.conftest import Side, Sides, allowance, until, volume
from tests.shared.gate import Gate
from tests.world.senders import SEEDS, SIGNERS

LONGEST = 2.0
"""How long loops may be silent here."""


class StuckSigner(Signer):
    """Signs once it is let go on."""

    going = threading.Event()

    def sign(self, contents: Sequence[bytes]) -> str:
        self.going.wait()
        return super().sign(contents)


class StuckSenders(Senders):
    """Looks at signatures once it is let go on."""

    going = threading.Event()

    def check(self, delivery: Delivery) -> None:
        self.going.wait()
        super().check(delivery)


class Loops:
    """All loops of a service but its pulse, which does nothing but ask the database."""

    def __init__(self, quota: Side, amqp_url: str) -> None:
        signer = StuckSigner("quota", SEEDS["quota"])
        senders = StuckSenders({name: [one.public_key] for name, one in SIGNERS.items()})
        handlers: inbox.Handlers = {VolumeChanged: self._on_volume}
        self.handling = threading.Event()
        self.turning = threading.Event()
        self.pool = quota.pool
        workers = inbox.Workers("quota", quota.pool, handlers, count=1)
        relay = outbox.Relay("quota", quota.dsn, amqp_url, signer)
        consumer = inbox.Consumer("quota", quota.pool, amqp_url, workers.wake, senders)
        job = Job("turn", timedelta(milliseconds=50), self._take_turn)
        runner: Runner[None] = Runner("quota", quota.dsn, job, None)
        self.stuck_by = {
            relay.heartbeat.loop: signer.going,
            consumer.heartbeat.loop: senders.going,
            workers.heartbeats[0].loop: self.handling,
            runner.heartbeat.loop: self.turning,
        }
        self.heartbeats: list[Heartbeat] = [
            *(relay.heartbeat, consumer.heartbeat, *workers.heartbeats, runner.heartbeat)
        ]
        for loop in (relay, consumer, workers, runner):
            quota.start(loop.run())
        for heartbeat in self.heartbeats:
            heartbeat._longest_seconds = LONGEST
        for going in self.stuck_by.values():
            going.set()
        app = web.create_app("quota")
        app.state.heartbeats = self.heartbeats
        self.health = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://quota"
        )

    async def is_live(self) -> bool:
        """What liveness says."""
        return (await self.health.get("/health/live")).status_code == 200

    @property
    def silent(self) -> list[str]:
        """Loops that have been silent for too long."""
        return [one.loop for one in self.heartbeats if one.is_silent()]

    async def _on_volume(self, conn: Any, _event: VolumeChanged) -> None:
        await conn.execute("SELECT 1")
        await asyncio.to_thread(self.handling.wait)

    async def _take_turn(self, _resources: None) -> None:
        async with database.acquire(self.pool) as conn:
            await conn.execute("SELECT 1")
        await asyncio.to_thread(self.turning.wait)


@pytest.fixture
async def gates(database: Any, amqp_url: str) -> AsyncIterator[tuple[Gate, Gate]]:
    """The ways to PostgreSQL and to the broker."""
    async with Gate(database.dsn("quota")) as first, Gate(amqp_url) as second:
        yield first, second


@pytest.fixture
async def loops(side: Sides, gates: tuple[Gate, Gate]) -> AsyncIterator[tuple[Loops, Side, Side]]:
    """Loops of quota behind the gates, quota itself, and ingest which tells it of volumes."""
    to_database, to_broker = gates
    quota, ingest = await side("quota"), await side("ingest")
    ingest.relay()
    pool = await database.create_pool(to_database.url, "quota")
    behind = Side("quota", to_database.url, to_broker.url, pool)
    loops = Loops(behind, to_broker.url)
    yield loops, quota, ingest
    for going in loops.stuck_by.values():
        going.set()
    await behind.end()
    pool.terminate()


async def exchange(number: int, quota: Side, ingest: Side) -> None:
    """An event that quota hears, and one that it says."""
    await ingest.say(volume(number))
    await quota.say(allowance(number))


async def test_each_loop_that_is_stuck_ends_liveness_and_no_outage_does(
    loops: tuple[Loops, Side, Side], gates: tuple[Gate, Gate]
) -> None:
    all_loops, quota, ingest = loops
    await exchange(1, quota, ingest)
    await until(lambda: quota.handled(1))
    await until(quota.all_published)
    for gate in gates:
        await gate.shut()
    ends_at = time.monotonic() + 2 * LONGEST
    while time.monotonic() < ends_at:
        assert await all_loops.is_live(), all_loops.silent
        await asyncio.sleep(0.1)
    for gate in gates:
        await gate.open()
    for number, (loop, going) in enumerate(all_loops.stuck_by.items(), 2):
        going.clear()
        await exchange(number, quota, ingest)

        async def is_found(loop: str = loop) -> bool:
            return all_loops.silent == [loop]

        await until(is_found, what=f"the silence of {loop}")
        assert not await all_loops.is_live(), loop
        going.set()
        await until(all_loops.is_live, what=f"signs of {loop}")
        await until(lambda number=number: quota.handled(number))
        await until(quota.all_published)
