"""Parts of runs that failed go after a grace, and a rebuild of the bucket does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from libs.shared import bucket, clock, database
from libs.shared.shares import Shares
from services.ingest import actions as ingest_actions
from services.ingest import rules as ingest_rules
from services.retention import actions, jobs, rules
from tests.databases import cloned_database
from tests.retention.house import Client, Gates, House
from tests.world.agents import Refused

GRACE = timedelta(days=1)


async def sweep(client: Client, after: timedelta, *, again: bool = False) -> int:
    """What a pass does so much later."""
    later = clock.now() + after
    return await actions.parts.sweep_parts(
        client.house.keeper, client.tenant_id, later, later, again=again
    )


async def run_keys(client: Client, plan: UUID) -> set[str]:
    """The bucket's objects of a plan's runs, by what follows the plan."""
    prefix = bucket.runs_of(client.tenant_id, plan)
    return {key.removeprefix(prefix) async for key, _ in client.house.objects.list(prefix)}


def parts_of(keys: set[str], *numbers: int) -> set[str]:
    """Those keys that are parts of these runs' deltas."""
    split = {key: key.split(".") for key in keys}
    return {
        key
        for key, words in split.items()
        if int(words[0]) in numbers and len(words) == 3 and words[1].isdecimal()
    }


async def named_parts(client: Client, plan: UUID) -> set[str]:
    """What any head of the plan names."""
    prefix = bucket.runs_of(client.tenant_id, plan)
    named = set()
    for key in await run_keys(client, plan):
        if ".head." in key:
            sealed = await client.house.objects.get(prefix + key)
            head = bucket.open_as(sealed, client.keys, prefix + key, bucket.Head)
            named |= {part.key.removeprefix(prefix) for part in head.parts}
    return named


async def refuse_commit(client: Client, run: UUID, content: bytes) -> None:
    """A commit that puts its head and is refused: what it names lies in no folder."""
    await client.batch(run, {b"nowhere/x": [content]})
    with pytest.raises(Refused, match="entry-invalid"):
        await client.commit(run)


async def tell_ends(client: Client) -> None:
    """What ingest's job does some seconds after the runs' ends."""
    untold = (
        "SELECT count(*) FROM runs WHERE tenant_id = $1 AND tried_at IS NOT NULL"
        " AND finished_at IS NOT NULL AND NOT end_written"
    )
    for _ in range(100):
        await ingest_actions.manifests.ends.tell_ends(client.house.ingest)
        async with database.acquire(client.house.ingest.pool) as conn:
            if not await conn.fetchval(untold, client.tenant_id):
                return
        await asyncio.sleep(0.1)
    raise AssertionError("the bucket was not told of all ends")


@asynccontextmanager
async def other_database(client: Client, servers: Any, template: str) -> AsyncIterator[House]:
    """A house on an empty database, beside the bucket of the client's."""
    with cloned_database(servers, template) as name:
        place = replace(client.house.place, database=name)
        store = servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key
        house = await House(place, Gates.in_s3(*store, place.bucket), client.house.limits).open()
        try:
            yield house
        finally:
            await house.close()


class Rebuilt(NamedTuple):
    """What a rebuild of a client brought into an empty database."""

    fingerprint: str
    troubles: list[str]
    versions: list[Any]


async def rebuild(client: Client, house: House) -> Rebuilt:
    [rebuilt] = await ingest_actions.rebuild.rebuilding.rebuild(
        house.ingest, client.tenant_id, verify=False, say=lambda _: None
    )
    fingerprint = await ingest_actions.rebuild.fingerprints.take_fingerprint(
        house.ingest.pool, client.tenant_id
    )
    versions = await house.fetch(
        "SELECT name, first_run, last_run, size, chunk_ids FROM catalogue.versions"
        " WHERE tenant_id = $1 ORDER BY name, first_run",
        client.tenant_id,
    )
    return Rebuilt(str(fingerprint), rebuilt.troubles, versions)


@pytest.fixture
def rebuild_anew(servers: Any, database_template: str) -> Callable[[Client], Awaitable[Rebuilt]]:
    """Rebuilds a client, each time in a database of its own."""

    async def work(client: Client) -> Rebuilt:
        async with other_database(client, servers, database_template) as house:
            return await rebuild(client, house)

    return work


async def test_failed_runs_parts_go_and_nothing_else(
    house: House, client: Client, rebuild_anew: Callable[[Client], Awaitable[Rebuilt]]
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"one"]})
    # Killed on its way: the second batch of that number took the first one's place.
    run = await client.start(plan)
    await client.batch(run, {b"b": [b"one"]})
    await client.batch(run, {b"c": [b"one"]})
    # Refused at its commit, which had put a head.
    run = await client.start(plan)
    await refuse_commit(client, run, b"one")
    # A whole one, whose batch was sent again with other entries.
    run = await client.start(plan)
    await client.batch(run, {b"never": [b"one"]})
    await client.batch(run, {b"d": [b"one"]})
    assert await client.commit(run) == 4
    await tell_ends(client)
    # The newest restore point is of run 5; run 6 is under way, and a neighbour's run failed too.
    await client.copy(plan, {b"e": [b"one"]})
    open_run = await client.start(plan)
    await client.batch(open_run, {b"f": [b"one"]})
    neighbour = await house.tenant()
    theirs = await neighbour.plan()
    await neighbour.copy(theirs, {b"x": [b"x"]})
    await neighbour.batch(await neighbour.start(theirs), {b"y": [b"x"]})
    await neighbour.copy(theirs, {b"z": [b"x"]})

    before = await run_keys(client, plan)
    theirs_before = await run_keys(neighbour, theirs)
    replaced = parts_of(before, 4) - await named_parts(client, plan)
    expected = parts_of(before, 2, 3) | replaced
    assert (len(expected), len(replaced)) == (4, 1)
    assert len(parts_of(before, 1, 4, 5, 6)) == 5
    rebuilt_before = await rebuild_anew(client)
    assert rebuilt_before.troubles == []

    assert await sweep(client, timedelta(0)) == 0, "their grace is not over"
    assert await run_keys(client, plan) == before
    assert await sweep(client, 2 * GRACE) == 4
    assert await run_keys(client, plan) == before - expected
    assert await run_keys(neighbour, theirs) == theirs_before
    assert await rebuild_anew(client) == rebuilt_before
    assert await sweep(client, 2 * GRACE, again=True) == 0

    # The run that was under way becomes a restore point like any other.
    assert await client.commit(open_run) == 6
    assert await sweep(client, 400 * GRACE) == 0
    fingerprint = await ingest_actions.rebuild.fingerprints.take_fingerprint(
        house.ingest.pool, client.tenant_id
    )
    assert (await rebuild_anew(client))[:2] == (str(fingerprint), [])


async def test_a_commit_that_comes_after_the_sweep_brings_nothing_back(
    house: House, client: Client, rebuild_anew: Callable[[Client], Awaitable[Rebuilt]]
) -> None:
    """Its head was put, its run was given up, its parts went, and only then it goes on."""
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"one"]})
    slow = replace(house.ingest, batches=Shares("catalogue", most=1, total=1))
    others = slow.batches.hold("others")
    await others.__aenter__()  # all its turns are taken
    run = await client.start(plan)
    await client.batch(run, {b"b": [b"one"]})
    said = ingest_rules.reported.Commit(batches=1, counters=ingest_rules.reported.Counters())
    caller = await ingest_actions.agents.authenticate(house.ingest, client.agent.token)
    commit = asyncio.create_task(
        ingest_actions.commits.committing.commit_run(slow, caller, run, said)
    )
    while not any(key.startswith("2.head.") for key in await run_keys(client, plan)):
        await asyncio.sleep(0.01)
    await client.copy(plan, {b"c": [b"one"]})
    await tell_ends(client)
    before = await rebuild_anew(client)
    assert await sweep(client, 2 * GRACE) == 1
    await others.__aexit__(None, None, None)
    with pytest.raises(ingest_rules.refusals.RunClosed):
        await commit
    assert await rebuild_anew(client) == before
    assert [version["name"] for version in before.versions] == [b"a", b"c"]


async def test_an_older_database_deletes_nothing_that_a_rebuild_uses(
    house: House,
    client: Client,
    servers: Any,
    database_template: str,
    rebuild_anew: Callable[[Client], Awaitable[Rebuilt]],
) -> None:
    """The bucket has runs that the database put back doesn't know, and soon others of a number."""
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"one"]})
    await client.batch(await client.start(plan), {b"b": [b"one"]})
    await client.copy(plan, {b"a": [b"one"], b"c": [b"one"]})
    async with other_database(client, servers, database_template) as older:
        await rebuild(client, older)
        returned = await older.tenant(client.tenant_id)
        # The first database lives on for some nights, and is lost.
        await client.batch(await client.start(plan), {b"d": [b"one"]})
        for name in (b"e", b"f", b"g"):
            await client.copy(plan, {name: [b"one"]})
        lost = await run_keys(client, plan)
        assert await sweep(returned, 2 * GRACE) == 1
        assert lost - await run_keys(client, plan) == parts_of(lost, 2)

        # What goes on here uses the numbers again: 4 is committed, 5 fails, 6 is committed.
        await returned.copy(plan, {b"h": [b"one"]})
        await refuse_commit(returned, await returned.start(plan), b"one")
        await returned.copy(plan, {b"i": [b"one"]})
        await tell_ends(returned)
        before = await run_keys(client, plan)
        rebuilt_before = await rebuild_anew(client)
        assert await sweep(returned, 2 * GRACE) == 1
        gone = before - await run_keys(client, plan)
        assert gone == parts_of(lost, 4), "the failed run's of that number, not the others'"
        assert len(parts_of(before, 5)) == 2, "the first 5 was committed, the second one failed"
        # The numbers of two lives don't follow each other, so each rebuild adds a run of its own.
        rebuilt = await rebuild_anew(client)
        assert rebuilt[1:] == rebuilt_before[1:]
        assert len(rebuilt.versions) == 6


async def test_a_head_that_is_damaged_or_lost_keeps_its_parts(house: House, client: Client) -> None:
    plan = await client.plan()
    for name in (b"a", b"b", b"c"):
        run = await client.start(plan)
        for taken in (b"replaced", name):
            await client.batch(run, {taken: []})
        await client.commit(run)
    prefix = bucket.runs_of(client.tenant_id, plan)
    [first, second] = [
        key for key in sorted(await run_keys(client, plan)) if key.startswith(("1.head", "2.head"))
    ]
    body = bytearray(await house.objects.get(prefix + first))
    body[20] ^= 1
    await house.objects.put(prefix + first, body)
    await house.objects.delete(prefix + second)
    assert await sweep(client, 2 * GRACE) == 0
    assert await sweep(client, 2 * GRACE, again=True) == 0


async def test_the_audit_tells_what_no_pass_has_swept(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.batch(await client.start(plan), {b"a": []})
    await client.copy(plan, {b"b": [b"one"]})
    [part] = parts_of(await run_keys(client, plan), 1)

    async def audit(after: timedelta, *, repair: bool = False) -> list[rules.audit.Disagreement]:
        later = clock.now() + after
        found = actions.audit.repairing.audit_tenant(
            house.keeper, client.tenant_id, later, later, repair=repair
        )
        return [one async for one in found]

    assert await audit(timedelta(0)) == []
    [told] = await audit(2 * GRACE)
    assert told.kind == "part-that-nothing-needs"
    assert f"Plan {plan}, run 1: 1 part of it lies in the bucket" in told.sentence
    [mended] = await audit(2 * GRACE, repair=True)
    assert mended.repaired == "Deleted with the 1 such parts of this client."
    assert part not in await run_keys(client, plan)
    assert await audit(2 * GRACE) == []


async def test_each_pass_sweeps(make_house: Callable[[rules.collection.Limits], House]) -> None:
    # The store tells ages by the second: what was put just now is as old as that.
    house = await make_house(rules.collection.Limits(timedelta(0), timedelta(seconds=-2))).open()
    try:
        client, ended = await house.tenant(), await house.tenant()
        plans = []
        for one in (client, ended):
            plan = await one.plan()
            plans.append(plan)
            await one.batch(await one.start(plan), {b"a": []})
            await one.copy(plan, {b"b": [b"one"]})
            await one.becomes("ended" if one is ended else "active")
        await jobs.collect(house.keeper)
        for one, plan, left in zip((client, ended), plans, (0, 1), strict=True):
            assert len(parts_of(await run_keys(one, plan), 1)) == left
    finally:
        await house.close()
