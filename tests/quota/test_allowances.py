"""Contracts, volumes and blocks, as events and commands bring them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.shared import database
from libs.shared.errors import NotFound
from services.quota import actions
from tests.quota.conftest import Counter

ROOT = Path(__file__).parents[2]


async def test_a_contract_gives_an_allowance_and_a_new_one_another(counter: Counter) -> None:
    await counter.handle(counter.contract(1, 1000), counter.contract(2, 1000))
    await counter.handle(counter.contract(4, 3000), counter.contract(3, 2000))
    assert await counter.said() == [(1, 1000, False, ""), (2, 3000, False, "")]


async def test_growth_beyond_the_contract_is_counted_and_not_blocked(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 5000))
    row = await counter.row()
    assert row is not None
    assert (row["stored_bytes"], row["protected_bytes"], row["blocked"]) == (5000, 10000, False)
    assert len(await counter.said()) == 1


async def test_a_volume_before_its_contract_waits_for_it(counter: Counter) -> None:
    await counter.handle(counter.volume(1, 700))
    assert await counter.said() == []
    await counter.handle(counter.contract())
    assert await counter.said() == [(1, 1000, False, "")]
    row = await counter.row()
    assert row is not None
    assert row["stored_bytes"] == 700


async def test_block_and_unblock(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 700))
    async with database.transaction(counter.pool) as conn:
        assert await actions.block(conn, counter.tenant_id, "unpaid") == 700
    await counter.handle(counter.volume(2, 650))
    async with database.transaction(counter.pool) as conn:
        assert await actions.block(conn, counter.tenant_id, "still unpaid") == 700
    await counter.handle(counter.contract(2, 5000))
    async with database.transaction(counter.pool) as conn:
        await actions.unblock(conn, counter.tenant_id, "paid")
    assert await counter.said() == [
        (1, 1000, False, ""),
        (2, 700, True, "unpaid"),
        (3, 700, True, "still unpaid"),
        (4, 5000, False, ""),
    ]
    async with counter.pool.acquire() as conn:
        rows = await conn.fetch("SELECT decision, reason FROM decisions ORDER BY decided_at")
    assert [tuple(row) for row in rows] == [
        ("block", "unpaid"),
        ("block", "still unpaid"),
        ("unblock", "paid"),
    ]


async def test_a_stranger_is_not_blocked_along(counter: Counter) -> None:
    await counter.handle(counter.contract())
    async with database.transaction(counter.pool) as conn:
        await actions.block(conn, counter.tenant_id, "unpaid")
    stranger = Counter(counter.pool, counter.dsn)
    await stranger.handle(stranger.contract(), stranger.volume(1, 10**9))
    assert await stranger.said() == [(1, 1000, False, "")]
    async with database.transaction(counter.pool) as conn:
        with pytest.raises(NotFound):
            await actions.block(conn, uuid4(), "nobody")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(
        st.tuples(st.integers(1, 12), st.integers(0, 10**12)), unique_by=lambda c: c[0], min_size=1
    ),
    shuffled=st.data(),
)
def test_the_newer_sequence_wins_in_any_order(database, changes, shuffled) -> None:
    """Each example on a tenant of its own, repeated and shuffled."""

    async def check() -> None:
        from libs.shared.database import create_pool

        pool = await create_pool(database.dsn("quota"), "quota")
        counter = Counter(pool, "")
        order = shuffled.draw(st.permutations(changes + changes[:3]))
        place = shuffled.draw(st.integers(0, len(order)))
        events = [counter.volume(sequence, stored) for sequence, stored in order]
        events.insert(place, counter.contract())
        await counter.handle(*events)
        row = await counter.row()
        assert row is not None
        assert (row["volume_sequence"], row["stored_bytes"]) == max(changes)
        assert await counter.said() == [(1, 1000, False, "")]
        await pool.close()

    asyncio.run(check())


async def test_handlers_at_once_publish_each_version_once(counter: Counter) -> None:
    await asyncio.gather(
        *(counter.handle(counter.contract(version, 1000 * version)) for version in range(1, 9)),
        *(counter.handle(counter.volume(sequence, sequence)) for sequence in range(1, 9)),
    )
    said = await counter.said()
    assert [version for version, *_ in said] == list(range(1, len(said) + 1))
    assert said[-1][1] == 8000
    row = await counter.row()
    assert row is not None
    assert row["stored_bytes"] == 8


async def test_the_operators_commands(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 700))

    async def command(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.quota", *arguments),
            cwd=ROOT,
            env={**os.environ, "COFFRE_DATABASE_URL": counter.dsn},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode().splitlines()[-1]

    tenant = str(counter.tenant_id)
    blocked = await command("block", tenant, "--reason", "unpaid")
    assert blocked == (0, f"{tenant} may not grow beyond 700 bytes.")
    assert await command("unblock", tenant, "--reason", "paid") == (0, f"{tenant} may grow.")
    nobody = await command("block", str(uuid4()), "--reason", "x")
    assert nobody == (1, "There is no such tenant.")
    assert [blocked for _, _, blocked, _ in await counter.said()] == [False, True, False]
