"""One client at its worst in every budget that clients share, and another that must not feel it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import pytest
import zstandard

from libs.shared import packs
from libs.shared.entries import FolderDelta
from services.ingest.actions.resources import BURST_OF_PLAN, STARTS_OF_PLAN_A_SECOND
from tests.hostile.counting import Campaign
from tests.world.agents import Agent, folder, taken
from tests.world.house import House, open_house
from tests.world.tenants import Tenant

pytestmark = pytest.mark.xdist_group("fair shares")
PATIENCE_SECONDS = 15.0
"""Many times what a victim's run takes alone, on a slow machine; without shares it took more."""

Enrol = Callable[[], Awaitable[Agent]]


@dataclass
class Field:
    """Where an attack takes place; `count` is how many times it does what it does at once."""

    house: House
    enrol: Enrol
    campaign: Campaign
    count: int

    async def open_upload(self, agent: Agent, path: str, length: int) -> asyncio.StreamWriter:
        """The head of a body that says how long it is; nothing of it comes."""
        url = urlsplit(self.house.url("ingest"))
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(
            f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.token}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        return writer


Attack = Callable[[Field], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="module")
def house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An ingest of these tests' own: they leave it busy."""
    with open_house(
        servers, database_template, tmp_path_factory.mktemp("fair"), "ingest"
    ) as running:
        yield running


@pytest.fixture
async def enrol(house: House) -> AsyncIterator[Enrol]:
    """Machines, each of a client of its own."""
    async with AsyncExitStack() as stack:

        async def enrol() -> Agent:
            tenant = Tenant(house)
            await tenant.becomes("active")
            agent = await tenant.enrol()
            stack.push_async_callback(agent.client.aclose)
            return agent

        yield enrol


class Victim:
    """Another client's machine, which copies something new again and again, by many plans."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._dice = random.Random(agent.token)
        self._turns = cycle(range(20))

    async def copy(self) -> float:
        """One whole run, and by a script another; returns the seconds that both took."""
        agent, began = self.agent, time.perf_counter()
        content = self._dice.randbytes(300_000)
        turn = next(self._turns)
        plan = await agent.declare(f"docs{turn}")
        number = await agent.copy(
            plan, FolderDelta(b"", [agent.file(b"a", content)], []), contents=[content]
        )
        assert number > 0
        run = await agent.start(await agent.declare(f"script{turn}"))
        taken(await agent.client.put(f"/v1/runs/{run}/files/b", content=content[::-1]))
        taken(await agent.client.post(f"/v1/runs/{run}/commit", json={}))
        return time.perf_counter() - began

    async def copies(self, count: int) -> list[float]:
        """So many, one after the other."""
        return [await self.copy() for _ in range(count)]


@asynccontextmanager
async def slow_packs(field: Field) -> AsyncIterator[None]:
    """(a) Uploads that declare the largest pack, and bring some bytes now and then."""
    attacker = await field.enrol()
    run = await attacker.start(await attacker.declare())
    writers = [
        await field.open_upload(
            attacker, f"/v1/runs/{run}/packs/{number:064x}", packs.MAX_PACK_BYTES
        )
        for number in range(field.count)
    ]
    field.campaign.tried("slow uploads of packs held", field.count)

    async def drip() -> None:
        while True:
            for writer in writers:
                writer.write(bytes(2_000))
            await asyncio.sleep(0.3)

    with aborted(writers):
        async with held(drip()):
            await asyncio.sleep(0.5)
            yield
            assert not any(writer.transport.is_closing() for writer in writers)


@asynccontextmanager
async def silent_files(field: Field) -> AsyncIterator[None]:
    """(b) Whole files of two clients that begin and then say nothing."""
    writers: list[asyncio.StreamWriter] = []
    with aborted(writers):
        for agent in (await field.enrol(), await field.enrol()):
            run = await agent.start(await agent.declare())
            for number in range(field.count):
                path = f"/v1/runs/{run}/files/silent-{number}"
                writers.append(await field.open_upload(agent, path, 10**9))
                writers[-1].write(bytes(100_000))
        field.campaign.tried("silent uploads of files held", len(writers))
        await asyncio.sleep(0.5)
        yield


def swelling_pack(attacker: Agent, seed: int) -> packs.Pack:
    """As little as can be sent that unpacks to as much as may be."""
    most = packs.MAX_PACK_PLAIN_BYTES // packs.MAX_CHUNK_BYTES
    builder = packs.PackBuilder()
    squeeze = zstandard.ZstdCompressor(level=1)
    content = bytearray(packs.MAX_CHUNK_BYTES)
    for number in range(most):
        content[:16] = struct.pack(">QQ", seed, number)
        chunk = packs.PackedChunk(attacker.id_of(bytes(content)), len(content))
        builder.add_frame(squeeze.compress(content), packs.ZSTD, [chunk])
    return builder.finish()


@asynccontextmanager
async def swelling_packs(field: Field) -> AsyncIterator[None]:
    """(c) Small packs that unpack to as much as any pack may."""
    attacker = await field.enrol()
    run = await attacker.start(await attacker.declare())
    made = [swelling_pack(attacker, seed) for seed in range(4)]

    async def send(place: int) -> None:
        while True:
            # The last id is wrong, so that each is verified to its end and none is kept.
            body = bytearray(made[place % len(made)].body)
            index_at = packs.wire.find_index(memoryview(body))[1]
            body[-12 - packs.wire.CHUNK_RECORD.size] ^= 1
            name = hashlib.sha256(body[index_at:]).hexdigest()
            await attacker.client.put(f"/v1/runs/{run}/packs/{name}", content=bytes(body))
            field.campaign.tried("packs that swell")

    async with held(*(send(place) for place in range(field.count))):
        await asyncio.sleep(1)
        yield


@asynccontextmanager
async def starts_during_a_commit(field: Field) -> AsyncIterator[None]:
    """(d) One plan's starts while its commit goes on, which takes long."""
    attacker = await field.enrol()
    plan = await attacker.declare()
    run = await attacker.start(plan)
    names = [f"{number:07x}".encode() for number in range(40_000)]
    batches = 6
    for batch in range(batches):
        top = b"%d" % batch
        delta = FolderDelta(top, [attacker.file(name) for name in names], [])
        taken(await attacker.send(run, FolderDelta(b"", [folder(top)], []), delta, batch=batch))

    async def commit() -> None:
        await attacker.commit(run, batches)

    async def start() -> None:
        while True:
            await attacker.ask_start(plan)
            field.campaign.tried("starts of one plan during its commit")

    attacker.client.timeout = httpx2.Timeout(120)
    async with held(commit()):
        await asyncio.sleep(0.3)
        async with held(*(start() for _ in range(field.count))):
            await asyncio.sleep(0.5)
            yield


@contextmanager
def aborted(writers: list[asyncio.StreamWriter]) -> Iterator[None]:
    """These connections are cut at the end."""
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def held(*attacks: Any) -> AsyncIterator[None]:
    """These go on while the block runs."""
    tasks = [asyncio.ensure_future(attack) for attack in attacks]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        broken = [one for one in ended if isinstance(one, Exception)]
        assert not [one for one in broken if not isinstance(one, httpx2.TransportError)], broken


ATTACKS: dict[str, tuple[Attack, int]] = {
    "slow uploads of packs": (slow_packs, 12),
    "silent uploads of files": (silent_files, 3),
    "packs that swell": (swelling_packs, 40),
    "starts during a commit": (starts_during_a_commit, 60),
}


async def test_starts_of_one_plan_come_one_a_second(
    house: House, enrol: Enrol, campaign: Campaign
) -> None:
    """Each is a run in the database and two events: twenty a second cost more than any commit."""
    attacker = await enrol()
    plan, other = await attacker.declare(), await attacker.declare("other")

    async def start() -> None:
        while True:
            await attacker.ask_start(plan)
            campaign.tried("starts of one plan")

    async def begun() -> int:
        [row] = await house.fetch(
            "SELECT count(*) AS n FROM ingest.runs WHERE plan_id = $1", UUID(plan)
        )
        return int(row["n"])

    began = time.monotonic()
    async with held(*(start() for _ in range(20))):
        while await begun() < BURST_OF_PLAN:
            await asyncio.sleep(0.1)
        for _ in range(3):
            await attacker.start(other)  # which has its own
        count = await begun()
        seconds = time.monotonic() - began
    assert count <= BURST_OF_PLAN + STARTS_OF_PLAN_A_SECOND * seconds + 1


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_client_at_its_worst_holds_up_no_other(
    house: House, enrol: Enrol, campaign: Campaign, name: str
) -> None:
    attack, count = ATTACKS[name]
    victim = Victim(await enrol())
    await victim.copy()
    alone = await victim.copies(5)
    field = Field(house, enrol, campaign, count)
    # A machine that others keep busy as well is slow for the victim alone, too.
    patience_seconds = max(PATIENCE_SECONDS, 20 * sum(alone))
    async with attack(field), asyncio.timeout(patience_seconds):
        meanwhile = await victim.copies(3)
    campaign.felt(name, alone, meanwhile)


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
async def test_the_whole_campaign(
    house: House, enrol: Enrol, campaign: Campaign, name: str
) -> None:
    """Each attack eight times as hard and for longer; the ratio is read by people."""
    attack, count = ATTACKS[name]
    victim = Victim(await enrol())
    await victim.copies(5)
    alone = await victim.copies(60)
    field = Field(house, enrol, campaign, count * 8)
    async with attack(field), asyncio.timeout(60 * PATIENCE_SECONDS):
        meanwhile = await victim.copies(60)
    campaign.felt(f"{name}, in full", alone, meanwhile)
