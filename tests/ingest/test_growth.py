"""Growth meets at one lock: what comes at once can't pass the ceiling together."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

from libs.shared import database as databases
from libs.shared.catalogue import volumes
from services.ingest import rules, store
from services.ingest.actions.intake.growth import grow

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
                    await grow(conn, agent, added_bytes)
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
