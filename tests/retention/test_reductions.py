"""Copies are dropped at once, taken back for a week, then gone; what else there is stays whole."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from libs.shared import catalogue, clock, database, events
from services.retention import actions, rules, store
from tests.retention import dropping
from tests.retention.dropping import check_volume, copy_anew, order, points, restore, take_back
from tests.retention.house import Client, House
from tests.retention.test_expiry import date
from tests.world.agents import Refused

A, B, C, D = (bytes([n]) * 300 + bytes(range(n, 250)) * 3 for n in (1, 2, 3, 4))
WEEK = timedelta(days=7, minutes=1)
OLD = {b"old/a": [A], b"old/deep/b": [B]}
KEEP = {b"keep/c": [C]}
PLAIN = {b"keep/c": C}


@pytest.fixture(autouse=True)
async def exact(client: Client) -> object:
    """Whatever a story does, the volume is exact and no restore point looks altered at its end."""
    yield
    await check_volume(client)
    async for found in actions.audit.proving.compare_points(
        client.house.keeper, client.tenant_id, clock.now()
    ):
        raise AssertionError(found)


async def test_a_folder_leaves_the_volume_at_once_and_comes_back(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    before = await check_volume(client)
    reduction = await order(client, plan, "folder", folder=b"old")
    said = await dropping.last_said(client)
    assert said["state"] == "applied"
    assert said["freed_bytes"] > 0
    assert await check_volume(client) == before - said["freed_bytes"]
    assert await restore(client, plan, 1) == PLAIN, "what is shown of it is proven as before"
    await dropping.pass_night(client, clock.now() + timedelta(days=6))
    assert await check_volume(client) == before - said["freed_bytes"]
    await take_back(client, reduction)
    assert (await dropping.last_said(client))["state"] == "withdrawn"
    assert await check_volume(client) == before, "as if nothing had been dropped"
    whole = {b"old/a": A, b"old/deep/b": B, **PLAIN}
    assert await restore(client, plan, 1) == whole
    assert await copy_anew(client, plan, {**OLD, **KEEP}) == 2
    assert await restore(client, plan, 2) == whole


async def test_what_another_needs_is_not_freed(client: Client) -> None:
    plan, other = await client.plan(), await client.plan("mails")
    await copy_anew(client, plan, OLD)
    await copy_anew(client, other, {b"x": [A], b"y": [C]})
    await order(client, plan)
    needed, dropped = await dropping.list_needed(client)
    assert client.id_of(A) in needed & dropped
    assert client.id_of(B) in dropped - needed
    await client.read([A, C])
    assert await restore(client, other, 1) == {b"x": A, b"y": C}
    await dropping.pass_night(client, clock.now() + WEEK)
    await dropping.pass_night(client, clock.now() + 2 * WEEK)
    assert await restore(client, other, 1) == {b"x": A, b"y": C}


async def test_a_plan_is_hidden_then_gone_and_its_machine_begins_anew(
    house: House, client: Client
) -> None:
    plan, other = await client.plan(), await client.plan("mails")
    await copy_anew(client, plan, OLD)
    await copy_anew(client, plan, {**OLD, **KEEP})
    await copy_anew(client, other, {b"d": [D]})
    reduction = await order(client, plan)
    assert await points(client, plan) == []
    await dropping.pass_night(client, clock.now() + WEEK)
    assert (await dropping.last_said(client))["state"] == "collected"
    [gone] = await client.said("versions.expired.v1")
    assert (gone["restore_points"], gone["versions"]) == ([1, 2], 6)
    await dropping.pass_night(client, clock.now() + 2 * WEEK)
    assert await client.objects() == set(await client.packs()), "and its objects with it"
    assert len(await client.packs()) == 1, "what only the plan needed"
    [[protected]] = await client.house.fetch(
        "SELECT protected_bytes FROM catalogue.volumes WHERE tenant_id = $1", client.tenant_id
    )
    assert protected == len(D)
    await take_back(client, reduction)
    assert (await dropping.last_said(client))["state"] == "collected", "too late"
    assert await copy_anew(client, plan, OLD) == 3
    assert await restore(client, plan, 3) == {b"old/a": A, b"old/deep/b": B}


async def test_what_is_older_goes_with_the_restore_points_before(client: Client) -> None:
    plan = await client.plan()
    for number, (content, days_ago) in enumerate([(A, 90), (B, 60), (C, 29), (D, 1)], start=1):
        await copy_anew(client, plan, {b"f": [content], **KEEP})
        await date(client, plan, number, days_ago)
    [at] = await client.house.fetch(
        "SELECT committed_at FROM catalogue.runs WHERE tenant_id = $1 AND number = 3",
        client.tenant_id,
    )
    before = await check_volume(client)
    reduction = await order(client, plan, "older", before=at[0] + timedelta(days=1))
    assert await points(client, plan) == [3, 4]
    assert await check_volume(client) < before
    assert await restore(client, plan, 3) == {b"f": C, **PLAIN}
    await take_back(client, reduction)
    assert await points(client, plan) == [1, 2, 3, 4]
    assert await check_volume(client) == before
    await order(client, plan, "older", before=at[0] + timedelta(days=1))
    await dropping.pass_night(client, clock.now() + WEEK)
    assert await points(client, plan) == [3, 4]
    assert await restore(client, plan, 4) == {b"f": D, **PLAIN}


async def test_a_machine_that_still_has_a_folder_sends_it_again(client: Client) -> None:
    """Whoever compares with an older list is sent back: what it holds for stored was dropped."""
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    await order(client, plan, "folder", folder=b"old")
    run = await client.start(plan)
    with pytest.raises(Refused, match="parent-outdated"):
        await client.commit(run, batches=0)
    started = await client.agent.ask_start(str(plan))
    assert started.json()["list_anew"] is True
    assert await dropping.list_paths(client, plan) == [b"keep/c"]
    number = await copy_anew(client, plan, {**OLD, **KEEP})
    whole = {b"old/a": A, b"old/deep/b": B, **PLAIN}
    assert await restore(client, plan, number) == whole
    await check_volume(client)
    for days in (1, 2, 3):
        await dropping.pass_night(client, clock.now() + days * WEEK)
    assert await restore(client, plan, number) == whole
    assert await restore(client, plan, 1) == PLAIN
    started = await client.agent.ask_start(str(plan))
    assert started.json()["list_anew"] is False


async def test_a_run_under_way_loses_nothing_by_a_drop_nor_by_its_withdrawal(
    client: Client,
) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    run = await client.start(plan)
    assert await client.missing(run, [A, B]) == []
    await client.batch(run, {b"new": [A]})
    reduction = await order(client, plan, "folder", folder=b"old")
    with pytest.raises(Refused, match="parent-outdated"):
        await client.commit(run)
    # Its agent starts again from the list as it is now; then an administrator thinks again.
    run = await client.start(plan)
    assert await dropping.list_paths(client, plan) == [b"keep/c"]
    await client.batch(run, {b"new": [A]})
    await take_back(client, reduction)
    with pytest.raises(Refused, match="parent-outdated"):
        await client.commit(run)
    number = await copy_anew(client, plan, {**OLD, **KEEP, b"new": [A]})
    assert await restore(client, plan, number) == {
        b"old/a": A, b"old/deep/b": B, b"new": A, **PLAIN,
    }  # fmt: skip


async def test_a_restore_under_way_goes_on(client: Client) -> None:
    """What is dropped while it is read is still given out: its tree is the one it began with."""
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    pool = client.house.keeper.pool
    tree = catalogue.Tree(client.tenant_id, plan, 1)
    walked = catalogue.walk(
        lambda: database.transaction(pool), tree, catalogue.ENTRIES, in_order=True, at_once=1
    )
    found = [entry.name for _, entries in await anext(walked) for entry in entries]
    await order(client, plan)
    await dropping.pass_night(client, clock.now() + timedelta(days=6))
    async for folders in walked:
        found += [entry.name for _, entries in folders for entry in entries]
    assert {b"a", b"b", b"c"} <= set(found)


async def test_a_second_drop_keeps_away_what_the_first_gave_back(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    first = await order(client, plan, "folder", folder=b"old/deep")
    assert await restore(client, plan, 1) == {b"old/a": A, **PLAIN}
    second = await order(client, plan, "folder", folder=b"old")
    await take_back(client, first)
    assert await restore(client, plan, 1) == PLAIN
    await take_back(client, second)
    assert await restore(client, plan, 1) == {b"old/a": A, b"old/deep/b": B, **PLAIN}


async def test_a_withdrawal_that_is_heard_first_counts(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, OLD)
    reduction_id = await order(client, plan)  # only to know what an order looks like
    await take_back(client, reduction_id)
    other = events.ReductionWithdrawn(
        tenant_id=client.tenant_id,
        reduction_id=plan,  # any id that was never ordered
        by="Camille",
        withdrawn_at=clock.now(),
    )
    await client.house.deliver(other)
    late = events.ReductionOrdered(
        tenant_id=client.tenant_id,
        reduction_id=plan,
        version=1,
        what="plan",
        plan_id=plan,
        folder=None,
        before=None,
        by="Camille",
        ordered_at=clock.now(),
    )
    for _ in range(2):
        await client.house.deliver(late)
    await dropping.carry_out(client)
    assert (await dropping.last_said(client))["state"] == "withdrawn"
    assert await points(client, plan) == [1]


async def test_withdrawing_and_collecting_race_and_one_wins_wholly(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    wins = set()
    for turn in range(12):
        reduction = await order(client, plan)
        due = clock.now() + WEEK
        said = events.ReductionWithdrawn(
            tenant_id=client.tenant_id, reduction_id=reduction, by="x", withdrawn_at=due
        )

        async def later(seconds: float, doing: Coroutine[Any, Any, None]) -> None:
            await asyncio.sleep(seconds)
            await doing

        await asyncio.gather(
            later(turn % 4 * 0.004, dropping.pass_night(client, due)),
            later(turn // 4 * 0.004, client.house.deliver(said)),
        )
        await dropping.carry_out(client)
        state = (await dropping.last_said(client))["state"]
        wins.add(state)
        if state == "withdrawn":
            [newest] = (await points(client, plan))[-1:]
            assert (await restore(client, plan, newest))[b"old/a"] == A
        else:
            assert await points(client, plan) == []
            await copy_anew(client, plan, {**OLD, **KEEP})
        await check_volume(client)
    assert wins == {"withdrawn", "collected"}


async def test_what_is_held_is_not_collected(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    loss = rules.expiry.Loss(1, events.Reason("files-lost", "2026-08-16", 5, 9))
    async with database.transaction(client.house.keeper.pool) as conn:
        await store.expiry.holds.add_hold(conn, client.tenant_id, plan, 1, loss, clock.now())
    reduction = await order(client, plan)
    await dropping.pass_night(client, clock.now() + 2 * WEEK)
    await take_back(client, reduction)
    assert await restore(client, plan, 1) == {b"old/a": A, b"old/deep/b": B, **PLAIN}


async def test_a_run_that_uses_the_same_pack_lifts_no_more_than_it_needs(client: Client) -> None:
    plan = await client.plan()
    await copy_anew(client, plan, {**OLD, **KEEP})
    whole = await check_volume(client)
    await order(client, plan, "folder", folder=b"old")
    less = await check_volume(client)
    await copy_anew(client, plan, {**KEEP, b"more": [C]})
    assert await check_volume(client) == less
    await copy_anew(client, plan, {b"old/a": [A], **KEEP})
    assert less < await check_volume(client) < whole


async def test_what_comes_back_brings_nothing_with_it_that_is_dropped_still(
    client: Client,
) -> None:
    """One pack was condemned for two reductions; one of them is taken back."""
    plan, other = await client.plan(), await client.plan("mails")
    await copy_anew(client, other, {b"b": [B], **OLD})
    await copy_anew(client, plan, {b"a": [A]})
    first = await order(client, plan)
    await order(client, other)
    assert await check_volume(client) == 0
    await take_back(client, first)
    await check_volume(client)
    assert await restore(client, plan, 1) == {b"a": A}
