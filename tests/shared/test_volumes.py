"""The stored volume: no change without its event, whoever makes it, and sums that mend it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from libs.shared import database as databases
from libs.shared.catalogue import volumes
from libs.shared.catalogue.volumes import Volume
from libs.shared.database import Pool
from tests.shared.conftest import TENANT, until

ROOT = Path(__file__).parents[2]
STRANGER = UUID("5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0002")


class Books:
    """The two services that change volumes, and what each has written."""

    def __init__(self, ingest: Pool, retention: Pool) -> None:
        self.pools = {"ingest": ingest, "retention": retention}

    async def change(self, who: str, stored: int, protected: int = 0) -> Volume:
        async with databases.transaction(self.pools[who]) as conn:
            return await volumes.change(conn, TENANT, stored, protected)

    async def read(self, tenant_id: UUID = TENANT) -> Volume:
        async with databases.acquire(self.pools["ingest"]) as conn:
            return await volumes.read(conn, tenant_id)

    async def told(self) -> list[Volume]:
        """What the events of both services say, by their numbers."""
        found = []
        for pool in self.pools.values():
            async with databases.acquire(pool) as conn:
                rows = await conn.fetch("SELECT type, tenant_id, payload FROM outbox")
            for row in rows:
                assert (row["type"], row["tenant_id"]) == ("volume.changed.v1", TENANT)
                said = json.loads(row["payload"])
                found.append(Volume(*(said[field] for field in Volume._fields)))
        return sorted(found, key=lambda volume: volume.sequence)


@pytest.fixture
async def books(database: Any) -> AsyncIterator[Books]:
    async with AsyncExitStack() as stack:
        pools = []
        for service in ("ingest", "retention"):
            pool = await databases.create_pool(database.dsn(service), service, max_size=8)
            stack.push_async_callback(pool.close)
            pools.append(pool)
        yield Books(*pools)


async def test_every_change_is_published_under_the_rows_next_number(books: Books) -> None:
    assert await books.read() == Volume(0, 0, 0)
    made = [
        await books.change("ingest", 1_000),
        await books.change("ingest", 0, 400),
        await books.change("retention", -300),
        await books.change("ingest", 50, -100),
    ]
    assert made == [
        Volume(1_000, 0, 1),
        Volume(1_000, 400, 2),
        Volume(700, 400, 3),
        Volume(750, 300, 4),
    ]
    assert await books.told() == made
    assert await books.read() == made[-1]
    assert await books.read(STRANGER) == Volume(0, 0, 0)


async def test_nothing_is_not_published(books: Books) -> None:
    assert await books.change("ingest", 0, 0) == Volume(0, 0, 0)
    first = await books.change("ingest", 10)
    assert await books.change("ingest", 0, 0) == first
    assert await books.change("retention", 0, 0) == first
    assert await books.told() == [first]


async def test_what_is_undone_was_never_said(books: Books) -> None:
    first = await books.change("ingest", 10)
    async with databases.acquire(books.pools["ingest"]) as conn:
        undone = conn.transaction()
        await undone.start()
        assert await volumes.change(conn, TENANT, 5, 0) == Volume(15, 0, 2)
        await undone.rollback()
    assert (await books.read(), await books.told()) == (first, [first])
    assert await books.change("ingest", 5) == Volume(15, 0, 2)


async def test_changes_at_once_are_one_row_of_numbers(books: Books) -> None:
    """The first changes of a tenant as well: each would like to make the row."""
    deltas = [7 * number + 1 for number in range(24)]
    await asyncio.gather(*(books.change("ingest", delta) for delta in deltas))
    told = await books.told()
    assert [volume.sequence for volume in told] == list(range(1, 25))
    steps = [0, *(volume.stored_bytes for volume in told)]
    assert sorted(b - a for a, b in pairwise(steps)) == deltas
    assert await books.read() == told[-1] == Volume(sum(deltas), 0, 24)


async def test_sums_replace_what_the_row_says_and_are_published_once(books: Books) -> None:
    async with databases.transaction(books.pools["ingest"]) as conn:
        assert await volumes.read_sums(conn, TENANT) is None
        for number, (size, state) in enumerate(((100, "live"), (30, "damaged"), (5, "condemned"))):
            await conn.execute(
                "INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, state,"
                " stored_at, verified_at, damaged_at, condemned_at) SELECT $1, $2, $3, 1, $4,"
                " now(), now(), CASE $4 WHEN 'damaged' THEN now() END,"
                " CASE $4 WHEN 'condemned' THEN now() END",
                TENANT,
                bytes([number]) * 32,
                size,
                state,
            )
    wrong = await books.change("ingest", 99, 1)
    async with databases.transaction(books.pools["retention"]) as conn:
        assert await volumes.read_sums(conn, TENANT) == (wrong, 130, 0)
        right = Volume(130, 0, 2)
        assert await volumes.sum_anew(conn, TENANT) == (right, True)
        assert await volumes.sum_anew(conn, TENANT) == (right, False)
        assert await volumes.read_sums(conn, TENANT) == (right, 130, 0)
    assert await books.told() == [wrong, right]
    # A rebuild's number counts though the bytes are right, and the next change goes on from it.
    async with databases.transaction(books.pools["ingest"]) as conn:
        assert await volumes.sum_anew(conn, TENANT, least_sequence=1_000) == ((130, 0, 1_000), True)
        assert await volumes.sum_anew(conn, TENANT, least_sequence=900) == ((130, 0, 1_000), False)
    assert await books.change("ingest", 1) == Volume(131, 0, 1_001)
    assert [volume.sequence for volume in await books.told()] == [1, 2, 1_000, 1_001]


async def test_a_rebuild_publishes_even_that_nothing_is_left(books: Books) -> None:
    async with databases.transaction(books.pools["ingest"]) as conn:
        assert await volumes.sum_anew(conn, TENANT, least_sequence=77) == ((0, 0, 77), True)
    assert await books.told() == [Volume(0, 0, 77)]


async def test_sums_wait_for_changes_under_way(books: Books) -> None:
    async def sum_anew() -> tuple[Volume, bool]:
        async with databases.transaction(books.pools["retention"]) as conn:
            return await volumes.sum_anew(conn, TENANT)

    first = await books.change("ingest", 10)
    async with databases.transaction(books.pools["ingest"]) as conn:
        second = await volumes.change(conn, TENANT, 5, 0)
        summing = asyncio.create_task(sum_anew())
        held_up = (
            "SELECT true FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        await until(lambda: conn.fetchval(held_up))
        assert not summing.done()
    assert await summing == (Volume(0, 0, 3), True)
    assert await books.told() == [first, second, Volume(0, 0, 3)]


def test_nobody_else_changes_volumes_or_says_that_they_changed() -> None:
    alone = ROOT / "libs" / "shared" / "catalogue" / "volumes.py"
    writes = re.compile(
        r"\b(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)[\s\"]+catalogue\.volumes\b"
        r"|\bVolumeChanged\(\s*\w+="
    )
    found = {
        file
        for folder in ("libs", "services")
        for file in (ROOT / folder).rglob("*.py")
        if writes.search(file.read_text())
    }
    assert found == {alone}
