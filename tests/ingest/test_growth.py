"""Growth meets at one lock: what comes at once can't pass the ceiling together."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any
from uuid import uuid4

from libs.shared import database as databases
from libs.shared import packs
from libs.shared.catalogue import volumes
from services.ingest import rules, store
from services.ingest.actions.intake.growth import grow
from tests.ingest.test_uploads import LateBody, Machine, machine, pieces

__all__ = ["machine"]

CEILING_BYTES = 100


async def test_of_what_comes_at_once_only_what_fits_grows(database: Any) -> None:
    # Each was let in before there was a ceiling, as uploads that take a while are.
    agent = rules.agents.Agent(uuid4(), uuid4(), "caisse", "active", "", None, "")
    pool = await databases.create_pool(database.dsn("ingest"), "ingest", max_size=10)
    try:
        async with databases.transaction(pool) as conn:
            await store.agents.put_allowance(
                conn, agent.tenant_id, 1, CEILING_BYTES, "the deadline"
            )

        async def push(added_bytes: int) -> bool:
            try:
                async with databases.transaction(pool) as conn:
                    await grow(conn, agent, added_bytes, added_bytes)
            except rules.refusals.GrowthBlocked:
                return False
            return True

        stored = await asyncio.gather(*(push(30) for _ in range(9)))
        assert sum(stored) == 3
        assert await push(10)
        assert not await push(1)
        async with databases.acquire(pool) as conn:
            assert await volumes.read(conn, agent.tenant_id) == (CEILING_BYTES, 0, 4)
            rows = await conn.fetch("SELECT payload FROM outbox ORDER BY position")
        told = [json.loads(row[0])["stored_bytes"] for row in rows]
        assert told == [30, 60, 90, 100], "a refusal changes nothing, and says nothing of it"
    finally:
        await pool.close()


async def test_a_block_that_comes_under_uploads_is_what_they_are_judged_by(
    machine: Machine,
) -> None:
    """All of them were let in, and their first halves are here, when the ceiling falls."""
    pool, tenant_id = machine.ingest.pool, machine.agent.tenant_id
    size = (await machine.send(machine.pack(random.Random(0).randbytes(20_000)))).stored_bytes
    some = [machine.pack(random.Random(n).randbytes(20_000)) for n in range(1, 7)]
    under_way, has_come = asyncio.Semaphore(0), asyncio.Event()

    async def wait() -> None:
        under_way.release()
        await has_come.wait()

    async def push(number: int, pack: packs.Pack) -> str:
        try:
            if number % 2:
                return str((await machine.send(pack, pieces(pack, wait))).is_new)
            return str((await machine.build(pack, LateBody(pack, wait))).is_new)
        except rules.refusals.GrowthBlocked as blocked:
            return f"{blocked.ceiling_bytes} {blocked.why}"

    pushing = [asyncio.create_task(push(*one)) for one in enumerate(some)]
    for _ in some:
        await under_way.acquire()
    async with databases.transaction(pool) as conn:
        await store.agents.put_allowance(conn, tenant_id, 1, 3 * size, "the deadline has passed")
    has_come.set()
    told = Counter(await asyncio.gather(*pushing))
    assert told == {"True": 2, f"{3 * size} the deadline has passed": 4}
    assert await machine.stored_bytes() == 3 * size, "no more than the ceiling is stored"

    async with databases.transaction(pool) as conn:
        await store.agents.put_allowance(conn, tenant_id, 2, None, "")
    again = await asyncio.gather(*(machine.send(pack) for pack in some))
    assert sum(stored.is_new for stored in again) == 4, "what was refused left nothing behind"
    assert await machine.stored_bytes() == 7 * size
