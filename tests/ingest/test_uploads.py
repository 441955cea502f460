"""One pack's way in, step by step: what loses a race, and what comes back of what fails."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from libs.shared import bucket, clock, packs
from libs.shared import database as databases
from libs.shared.catalogue import volumes
from libs.shared.errors import BodyTooLarge, Unavailable
from libs.shared.events import TenantChanged
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.ingest import actions, consumers, rules, store
from services.ingest.actions.intake.packs import Stored, take_pack
from services.ingest.actions.intake.uploads import BuiltBody
from services.ingest.actions.resources import PACK_MEMORY_BYTES
from tests.world.tenants import tenant_changed

Receive = Callable[[], Awaitable[bytes | None]]
Happening = Callable[[], Awaitable[object]]


@dataclass
class Machine:
    """An enrolled machine with an open run, that calls ingest's actions."""

    ingest: actions.resources.Resources
    agent: rules.agents.Agent
    run_id: uuid.UUID
    chunk_key: bytes

    def pack(self, *contents: bytes) -> packs.Pack:
        builder = packs.PackBuilder()
        for content in contents:
            builder.add(packs.chunk_id(content, self.chunk_key), content)
        return builder.finish()

    async def send(
        self, pack: packs.Pack, receive: Receive | None = None, **options: float
    ) -> Stored:
        """Sends a pack as a client does; `receive` stands for how the body comes."""
        size_bytes = len(pack.body)
        async with actions.intake.uploads.Upload(
            size_bytes, receive or pieces(pack), **options
        ) as upload:
            return await take_pack(self.ingest, self.agent, self.run_id, pack.id, upload)

    async def build(self, pack: packs.Pack, body: BuiltBody | None = None) -> Stored:
        """Takes a pack in that was built here."""
        body = body or BuiltBody(pack.body)
        return await take_pack(self.ingest, self.agent, self.run_id, pack.id, body)

    async def stored_bytes(self) -> int:
        async with databases.acquire(self.ingest.pool) as conn:
            return (await volumes.read(conn, self.agent.tenant_id)).stored_bytes


def pieces(pack: packs.Pack, before: Happening | None = None) -> Receive:
    """A body that comes in two halves; something may have to happen before the second."""
    half = len(pack.body) // 2
    left = [bytes(pack.body[:half]), bytes(pack.body[half:]), None]

    async def receive() -> bytes | None:
        if before is not None and len(left) == 2:
            await before()
        return left.pop(0)

    return receive


class LateBody(BuiltBody):
    """One that was built here, and is had once something has happened."""

    def __init__(self, pack: packs.Pack, before: Happening) -> None:
        super().__init__(pack.body)
        self._before = before

    @asynccontextmanager
    async def held(
        self, ingest: actions.resources.Resources, tenant_id: uuid.UUID
    ) -> AsyncIterator[memoryview]:
        await self._before()
        async with super().held(ingest, tenant_id) as content:
            yield content


@pytest.fixture
async def machine(database: Any, object_store: ObjectStore) -> AsyncIterator[Machine]:
    pool = await databases.create_pool(database.dsn("ingest"), "ingest", max_size=8)
    ring = KeyRing(object_store, b"\x5a" * 32)
    ingest = actions.resources.Resources(pool, object_store, ring, timedelta(hours=1))
    agent = rules.agents.Agent(uuid.uuid4(), uuid.uuid4(), "caisse", "active", "", None, "")
    keys = await ring.create(agent.tenant_id)
    async with databases.transaction(pool) as conn:
        await consumers.HANDLERS[TenantChanged](conn, tenant_changed(agent.tenant_id, 1))
        await store.agents.add(
            conn,
            agent.tenant_id,
            agent.agent_id,
            b"token",
            rules.reported.Machine(hostname="caisse", platform="linux", agent_version="1"),
            clock.now(),
        )
    declaration = rules.reported.Declaration(
        folders=("/srv",), schedule="30 1 * * *", timezone="Europe/Paris"
    )
    plan_id, *_ = await actions.plans.declare_plan(ingest, agent, "docs", declaration)
    started = await actions.runs.starting.start_run(ingest, agent, plan_id, uuid.uuid4(), 0, None)
    yield Machine(ingest, agent, started.run_id, keys.chunk_key)
    ingest.close()
    await pool.close()
    await object_store.close()


@pytest.mark.parametrize("winner_is_built", [False, True])
@pytest.mark.parametrize("loser_is_built", [False, True])
async def test_of_two_at_once_one_is_new_and_the_other_adds_and_says_nothing(
    machine: Machine, winner_is_built: bool, loser_is_built: bool
) -> None:
    pack = machine.pack(random.Random(1).randbytes(50_000), b"small")
    arrived, may_go_on = asyncio.Event(), asyncio.Event()

    async def be_overtaken() -> None:
        arrived.set()
        await may_go_on.wait()

    with capture_logs() as lines:
        if loser_is_built:
            sending = machine.build(pack, LateBody(pack, be_overtaken))
        else:
            sending = machine.send(pack, pieces(pack, be_overtaken))
        loser = asyncio.create_task(sending)
        await arrived.wait()
        won = await (machine.build(pack) if winner_is_built else machine.send(pack))
        may_go_on.set()
        lost = await loser
        again = [await machine.build(pack), await machine.send(pack)]
    assert won == Stored(is_new=True, stored_bytes=await machine.stored_bytes())
    assert [lost, *again] == [Stored(is_new=False, stored_bytes=0)] * 3
    told = [(line["pack"], line["bytes"]) for line in lines if line["event"] == "pack.stored"]
    assert told == [(pack.id, won.stored_bytes)]
    assert won.stored_bytes > 50_000


@pytest.mark.parametrize("size", [60_000, 900_000])
async def test_a_slow_body_gives_its_room_away_and_is_stored_all_the_same(
    machine: Machine, size: int
) -> None:
    slow, quick = (machine.pack(random.Random(n).randbytes(size)) for n in (1, 2))
    memory = machine.ingest.pack_memory
    calls = 0

    async def hang_once() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        assert memory.free == PACK_MEMORY_BYTES
        assert (await machine.send(quick)).is_new

    assert (await machine.send(slow, pieces(slow, hang_once), grace_seconds=0.05)).is_new
    assert calls == 2
    key = bucket.key_of_pack(machine.agent.tenant_id, bytes.fromhex(slow.id))
    assert len(await machine.ingest.objects.get(key)) > size


async def test_whatever_fails_gives_back_its_memory(machine: Machine) -> None:
    ingest = machine.ingest
    pack, other = (machine.pack(random.Random(n).randbytes(60_000)) for n in (1, 2))
    dead = ObjectStore.in_s3("http://127.0.0.1:9", "x", "x", "none")
    without_store = replace(machine, ingest=replace(ingest, objects=dead))

    async def hang_up() -> None:
        raise ClientDisconnect

    hung = False

    async def hang_then_hang_up() -> None:
        nonlocal hung
        if hung:
            raise ClientDisconnect
        hung = True
        await asyncio.Event().wait()

    async def flood() -> bytes:
        return bytes(1_000)

    async def limit_growth() -> None:
        async with databases.transaction(ingest.pool) as conn:
            await store.agents.put_allowance(conn, machine.agent.tenant_id, 1, 5, "the deadline")

    misnamed = packs.Pack(pack.id, other.body)
    failures: list[tuple[type[Exception], Callable[[], Awaitable[Stored]]]] = [
        (ClientDisconnect, lambda: machine.send(pack, pieces(pack, hang_up))),
        (
            ClientDisconnect,
            lambda: machine.send(pack, pieces(pack, hang_then_hang_up), grace_seconds=0.05),
        ),
        (BodyTooLarge, lambda: machine.send(pack, flood)),
        (packs.PackRejected, lambda: machine.send(misnamed)),
        (packs.PackRejected, lambda: machine.build(misnamed)),
        (Unavailable, lambda: without_store.send(pack)),
        (Unavailable, lambda: without_store.build(pack)),
        (rules.refusals.GrowthBlocked, lambda: machine.send(pack, pieces(pack, limit_growth))),
        (rules.refusals.GrowthBlocked, lambda: machine.build(pack)),
    ]
    room = len(pack.body) * 5 // 4
    tenant_id = machine.agent.tenant_id

    def take_all() -> set[int]:
        with ingest.buffers.lend() as take:
            return {id(memory.obj) for memory in (take(room), take(room))}

    first = take_all()
    for error, fail in failures:
        with pytest.raises(error):
            await fail()
        assert take_all() == first
        assert ingest.pack_memory.free == PACK_MEMORY_BYTES
        assert not any(shares.held_by(tenant_id) for shares in (ingest.heads, ingest.slow_bodies))
    assert await machine.stored_bytes() == 0
    await dead.close()
