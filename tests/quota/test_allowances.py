"""Contracts, volumes and blocks, as events bring them."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.shared import database as databases
from libs.shared.catalogue import volumes
from libs.shared.events import VolumeChanged
from services.quota import actions
from tests.quota.conftest import Calendar, Counter


async def test_a_contract_gives_an_allowance_and_a_new_one_another(counter: Counter) -> None:
    await counter.handle(counter.contract(1, 1000), counter.contract(2, 1000))
    await counter.handle(counter.contract(4, 3000), counter.contract(3, 2000))
    assert await counter.said() == [(1, 1000, False, ""), (2, 3000, False, "")]


async def test_growth_beyond_the_contract_is_counted_and_not_blocked(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 5000))
    row = await counter.row()
    assert (row["stored_bytes"], row["protected_bytes"], row["blocked"]) == (5000, 10000, False)
    assert len(await counter.said()) == 1


async def test_a_volume_before_its_contract_waits_for_it(counter: Counter) -> None:
    await counter.handle(counter.volume(1, 7000))
    assert await counter.events() == []
    await counter.handle(counter.contract())
    assert await counter.said() == [(1, 1000, False, "")]
    assert await counter.story() == ["opened"]
    assert (await counter.row())["stored_bytes"] == 7000


async def test_block_and_unblock(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 700))
    await counter.handle(counter.decision("block", reason="unpaid"), counter.volume(2, 650))
    await counter.handle(counter.decision("block", reason="still unpaid"))
    await counter.handle(counter.contract(2, 5000), counter.decision("unblock", reason="paid"))
    assert await counter.said() == [
        (1, 1000, False, ""),
        (2, 700, True, "unpaid"),
        (3, 700, True, "still unpaid"),
        (4, 5000, False, ""),
    ]
    rows = await counter.fetch("SELECT decision, reason FROM decisions ORDER BY decided_at")
    assert [tuple(row.values()) for row in rows] == [
        ("block", "unpaid"),
        ("block", "still unpaid"),
        ("unblock", "paid"),
    ]
    assert await counter.story() == [], "a block without a case is no case"


async def test_of_decisions_the_newest_counts_in_any_order(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.volume(1, 700))
    block, unblock = counter.decision("block"), counter.decision("unblock")
    await counter.handle(unblock, block, unblock, block)
    assert (await counter.row())["blocked"] is False
    later = counter.decision("block", reason="again")
    await counter.handle(later, unblock, block)
    assert (await counter.row())["reason"] == "again"


async def test_a_decision_before_the_contract_comes_again(counter: Counter) -> None:
    block = counter.decision("block", reason="unpaid")
    for known in ([], [counter.volume(1, 700)]):
        await counter.handle(*known)
        with pytest.raises(LookupError):
            await counter.handle(block)
    await counter.handle(counter.contract(), block)
    assert (await counter.said())[-1] == (2, 700, True, "unpaid")


async def test_a_stranger_is_not_blocked_along(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.decision("block"))
    stranger = Counter(counter.pool)
    await stranger.handle(stranger.contract(), stranger.volume(1, 10**9))
    assert await stranger.said() == [(1, 1000, False, "")]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    deltas=st.lists(
        st.tuples(st.integers(-50, 400), st.integers(-50, 400)), min_size=1, max_size=12
    ),
    contracts=st.lists(st.integers(0, 900), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_figures_are_the_catalogues_in_any_order(database, deltas, contracts, seed) -> None:
    """Changes of a catalogue, told shuffled, repeated and late, with contracts between them."""
    chance = random.Random(seed)

    async def check() -> None:
        catalogue = await databases.create_pool(database.dsn("ingest"), "ingest", max_size=1)
        quota = await databases.create_pool(database.dsn("quota"), "quota", max_size=2)
        counter = Counter(quota)
        stored = protected = 0
        for stored_delta, protected_delta in deltas:
            change = max(stored_delta, -stored), max(protected_delta, -protected)
            stored, protected = stored + change[0], protected + change[1]
            async with databases.transaction(catalogue) as conn:
                await volumes.change(conn, counter.tenant_id, *change)
        async with databases.transaction(catalogue) as conn:
            true = await volumes.read(conn, counter.tenant_id)
            rows = await conn.fetch(
                "SELECT payload FROM outbox WHERE tenant_id = $1 ORDER BY position",
                counter.tenant_id,
            )
        said = [VolumeChanged.model_validate_json(row["payload"]) for row in rows]
        agreed = [counter.contract(number, one) for number, one in enumerate(contracts)]
        events = [*said, *agreed]
        order = [*events, *chance.choices(events, k=chance.randrange(9))]
        chance.shuffle(order)
        await counter.handle(*order)
        row = await counter.row()
        if said:
            counted = row["stored_bytes"], row["protected_bytes"], row["volume_sequence"]
            assert counted == tuple(true)
        assert row["contracted_bytes"] == contracts[-1]
        assert (row["ceiling_bytes"], row["blocked"]) == (contracts[-1], False)
        [day] = await counter.fetch("SELECT * FROM days WHERE tenant_id = $1", counter.tenant_id)
        assert (day["stored_bytes"], day["contracted_bytes"]) == (true.stored_bytes, contracts[-1])
        is_over = true.stored_bytes > contracts[-1]
        cases = "SELECT FROM cases WHERE tenant_id = $1 AND closed_at IS NULL"
        assert len(await counter.fetch(cases, counter.tenant_id)) == is_over
        assert (row["level_percent"] == 100) == is_over
        await quota.close()
        await catalogue.close()

    asyncio.run(check())


async def test_handlers_at_once_publish_each_version_once(counter: Counter) -> None:
    await asyncio.gather(
        *(counter.handle(counter.contract(version, 1000 * version)) for version in range(1, 9)),
        *(counter.handle(counter.volume(sequence, 9 - sequence)) for sequence in range(1, 9)),
    )
    said = await counter.said()
    assert [version for version, *_ in said] == list(range(1, len(said) + 1))
    assert said[-1][1] == 8000
    assert (await counter.row())["stored_bytes"] == 1


async def test_there_is_a_row_for_each_day(counter: Counter, calendar: Calendar) -> None:
    stranger = Counter(counter.pool)
    calendar.day(0)
    await counter.handle(counter.contract())
    await counter.holds(500)
    await counter.holds(600)
    await stranger.handle(stranger.contract(1, 50))
    calendar.day(4)
    await counter.holds(700)
    await counter.handle(counter.decision("block"))
    calendar.day(6)
    for _ in range(2):
        await counter.fill_days()
    rows = await counter.fetch(
        "SELECT * FROM days WHERE tenant_id = $1 ORDER BY day", counter.tenant_id
    )
    assert [row["stored_bytes"] for row in rows] == [600, 600, 600, 600, 700, 700, 700]
    assert [row["protected_bytes"] for row in rows] == [1200] * 4 + [1400] * 3
    assert [row["ceiling_bytes"] for row in rows] == [None] * 4 + [700] * 3
    assert {row["contracted_bytes"] for row in rows} == {1000}
    assert (rows[-1]["day"] - rows[0]["day"]).days == 6
    assert (
        len(await counter.fetch("SELECT FROM days WHERE tenant_id = $1", stranger.tenant_id)) == 7
    )


async def test_who_is_not_known_has_no_row(counter: Counter) -> None:
    await counter.handle(counter.answer(str(uuid4()), "call"))
    assert await counter.fetch("SELECT FROM allowances") == []
    assert await counter.events() == []


async def test_each_day_is_told_once_when_it_is_over_and_again_on_request(
    counter: Counter, calendar: Calendar
) -> None:
    first = calendar.day(0.01).date()
    await counter.handle(counter.contract(1, 1000))
    for day in range(40):
        calendar.day(day + 0.01)
        await counter.holds(365 + 10 * day)
        await counter.tell_days()
    told = await counter.events("volume.counted")
    assert [one["day"] for one in told] == [str(first + timedelta(days=day)) for day in range(39)]
    assert [one["stored_bytes"] for one in told] == [365 + 10 * day for day in range(39)]
    newest = told[-1]
    assert newest["contracted_bytes"] == 1000
    assert newest["ceiling_bytes"] is None
    # 735 of 1,000 by the last finished day, and 10 more each day.
    assert date.fromisoformat(newest["reached_on"]) > calendar.day(39.01).date()
    await counter.tell_days()
    assert len(await counter.events("volume.counted")) == 39
    # A late event changes no day that is over; one without any is told as the day before.
    calendar.day(42.01)
    await counter.fill_days()
    await counter.tell_days()
    later = (await counter.events("volume.counted"))[39:]
    assert [one["stored_bytes"] for one in later] == [755, 755, 755]
    # A portal that lost them hears all once more, in versions that win.
    assert await actions.days.tell_all_again(counter.pool, counter.tenant_id) == 43
    await counter.tell_days()
    again = (await counter.events("volume.counted"))[42:]
    assert [one["day"] for one in again] == [one["day"] for one in [*told, *later]]
    assert all(
        new["version"] > old["version"] for new, old in zip(again, [*told, *later], strict=True)
    )
    assert {one["reached_on"] for one in again[:-1]} == {None}
