"""Somebody says stop in the middle of an expiry: it stops there, and goes on when they say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.shared import clock, database
from libs.shared.events import ExpiryDecided
from libs.shared.reasons import Reason
from services.retention import actions, consumers, rules, store
from tests.retention.house import Client, House
from tests.retention.test_expiry import date, expire, points, tree_at

FILES = 6
KEEP = {b"keep%d" % n: [b"keep%d" % n] for n in range(9)}


@pytest.fixture
async def plan(client: Client) -> UUID:
    """A plan of which six versions are to go, two restore points with them."""
    plan = await client.plan()
    await client.copy(plan, {**KEEP, **{b"f%d" % n: [b"one %d" % n] for n in range(FILES)}})
    await client.copy(plan, {b"f%d" % n: [b"two %d" % n] for n in range(FILES)})
    for number, days_ago in ((1, 90), (2, 60)):
        await date(client, plan, number, days_ago)
    return plan


@asynccontextmanager
async def locked(house: House, table: str, plan: UUID) -> AsyncIterator[asyncpg.Connection]:
    """Rows of a plan that somebody else holds: who would delete them waits."""
    conn = await asyncpg.connect(house.processes.admin_dsn)
    try:
        async with conn.transaction():
            await conn.execute(f"SELECT FROM catalogue.{table} WHERE plan_id = $1 FOR UPDATE", plan)
            yield conn
    finally:
        await conn.close()


async def is_waited_for(conn: asyncpg.Connection) -> None:
    """Returns once somebody waits for what this transaction holds."""
    async with asyncio.timeout(60):
        while not await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0.01)


async def hold(client: Client, plan: UUID) -> None:
    loss = rules.expiry.Loss(1, Reason("files-lost", "2026-08-16", 5, 9))
    async with database.transaction(client.house.keeper.pool) as conn:
        await store.expiry.holds.add_hold(conn, client.tenant_id, plan, 2, loss, clock.now())


async def left(client: Client, plan: UUID) -> int:
    """How many of the plan's superseded versions are there still."""
    [[count]] = await client.house.fetch(
        "SELECT count(*) FROM catalogue.versions WHERE plan_id = $1 AND last_run IS NOT NULL", plan
    )
    return int(count)


@pytest.mark.parametrize(
    ("table", "gone"),
    [("runs", 0), ("versions", 1)],
    ids=["before the first slice", "between two slices"],
)
async def test_a_hold_stops_an_expiry_that_is_under_way(
    house: House, client: Client, plan: UUID, monkeypatch: pytest.MonkeyPatch, table: str, gone: int
) -> None:
    monkeypatch.setattr(actions.expiry, "SLICE", 1)
    async with locked(house, table, plan) as conn:
        expiring = asyncio.create_task(expire(client))
        await is_waited_for(conn)
        await hold(client, plan)
    assert await expiring == gone, "what comes after the hold must stay"
    assert await left(client, plan) == FILES - gone
    assert await expire(client) == 0
    assert await points(client, plan) == [2], "what was begun leaves only what is whole"
    two = {b"f%d" % n: client.id_of(b"two %d" % n) for n in range(FILES)}
    assert (await tree_at(client, plan, 2)).items() >= two.items()

    other = await client.plan("other")
    await client.copy(other, {**KEEP, b"a": [b"one"]})
    await client.copy(other, {b"a": [b"two"]})
    for number, days_ago in ((1, 90), (2, 60)):
        await date(client, other, number, days_ago)
    assert await expire(client) == 1, "a hold of one plan is none of another"

    decided = ExpiryDecided(
        tenant_id=client.tenant_id,
        decision_id=uuid4(),
        plan_id=plan,
        reason="it was meant",
        by="Anne",
        decided_at=clock.now(),
    )
    early = decided.model_copy(update={"decided_at": clock.now() - timedelta(hours=1)})
    async with database.transaction(house.keeper.pool) as conn:
        await consumers.HANDLERS[ExpiryDecided](conn, early)
    assert await expire(client) == 0, "nobody has looked at what came after that word"
    for _ in range(2):  # two operators at once: the second word changes nothing
        async with database.transaction(house.keeper.pool) as conn:
            await consumers.HANDLERS[ExpiryDecided](conn, decided)
    assert await expire(client) == FILES - gone
