"""What expires, what stays browsable, and what holds it up."""

from __future__ import annotations

import random
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.shared import attributes, catalogue, database, reasons
from libs.shared.errors import NotFound
from libs.shared.events import ExpiryCleared, RunFinished, RunJudged
from libs.shared.reasons import Reason
from services.retention import actions, consumers, rules, store
from tests.retention.house import Client, House
from tests.world.dates import date_point
from tests.world.files import File

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Tree = dict[bytes, bytes]


async def date(client: Client, plan: UUID, number: int, days_ago: float) -> None:
    """Says when a run was received."""
    at = NOW - timedelta(days=days_ago)
    where = client.tenant_id, plan, number
    await date_point(client.house.fetch, client.keys, *where, at)


async def expire(client: Client, days: int = 30) -> int:
    async with client.house.keeper.pool.acquire() as conn:
        tenant = await store.tenants.find(conn, client.tenant_id)
    assert tenant is not None
    return await actions.expiry.expire_tenant(
        client.house.keeper, tenant._replace(retention_days=days), NOW
    )


async def points(client: Client, plan: UUID) -> list[int]:
    async with client.house.keeper.pool.acquire() as conn:
        runs = await catalogue.list_runs(conn, client.tenant_id, plan)
    return sorted(run.number for run in runs)


async def tree_at(client: Client, plan: UUID, number: int) -> Tree:
    async with client.house.keeper.pool.acquire() as conn:
        tree = catalogue.Tree(client.tenant_id, plan, number)
        walked = catalogue.walk(lambda: nullcontext(conn), tree, catalogue.ROWS)
        entries = [entry async for folders in walked for _, found in folders for entry in found]
    return {entry.name: entry.chunk_ids for entry in entries}


async def test_only_what_was_superseded_long_ago_expires(house: House, client: Client) -> None:
    plan = await client.plan()
    keep = {b"keep%d" % n: [b"keep%d" % n] for n in range(3)}
    for number, (content, days_ago) in enumerate(
        [(b"one", 90), (b"two", 60), (b"three", 29), (b"four", 1)], start=1
    ):
        await client.copy(plan, {**keep, b"a": [content]})
        await date(client, plan, number, days_ago)
    # "two" was superseded 29 days ago, "one" 60 days ago.
    assert await expire(client) == 1
    assert await points(client, plan) == [2, 3, 4]
    [first, second] = await client.said("versions.expired.v1")
    assert (first["restore_points"], first["oldest_kept"], first["versions"]) == ([1], 2, 0)
    assert (second["restore_points"], second["versions"], second["size_bytes"]) == ([], 1, 3)
    assert await expire(client) == 0, "again is nothing"
    assert await expire(client, days=1) == 2
    assert await points(client, plan) == [4]
    assert set(await tree_at(client, plan, 4)) == {*keep, b"a"}


async def test_a_set_of_attributes_goes_once_no_version_has_it(
    house: House, client: Client
) -> None:
    """What many have is kept once, and stays while one has it or a commit may just bring it."""
    plan = await client.plan()
    names = [b"keep%d" % number for number in range(3)]
    shared, own = (attributes.write({b"user.x": value}) for value in (b"shared", b"own"))

    async def copy(of_a: bytes) -> None:
        tree = {name: File([name], attributes=shared) for name in names}
        await client.agent.store(str(plan), {**tree, b"a": File([b"a"], attributes=of_a)})

    async def kept() -> set[bytes]:
        rows = await house.fetch("SELECT content FROM catalogue.attribute_sets")
        return {row[0] for row in rows}

    await copy(own)
    await copy(shared)
    await copy(own)
    assert await kept() == {shared, own}
    await copy(shared)
    for number, days_ago in enumerate((90, 80, 70, 60), start=1):
        await date(client, plan, number, days_ago)
    assert await expire(client) == 3
    assert await kept() == {shared, own}, "a commit brought it a moment ago"
    await copy(attributes.write({b"user.x": b"another"}))
    await date(client, plan, 5, 50)
    async with database.acquire(house.ingest.pool) as conn:
        long_ago = NOW - timedelta(days=8)
        await conn.execute("UPDATE catalogue.attribute_sets SET used_at = $1", long_ago)
    assert await expire(client) == 1
    assert await kept() == {shared, attributes.write({b"user.x": b"another"})}


async def test_a_restore_point_that_loses_nothing_stays(house: House, client: Client) -> None:
    """Runs that changed nothing, or after which something came and went, are whole still."""
    plan = await client.plan()
    keep = {b"keep%d" % n: [b"keep%d" % n] for n in range(3)}
    await client.copy(plan, {**keep})
    await client.copy(plan, {b"short": [b"short"]})
    await client.copy(plan, {}, removed=[b"short"])
    await client.copy(plan, {})
    for number in range(1, 5):
        await date(client, plan, number, 100 - number)
    assert await expire(client) == 1
    assert await points(client, plan) == [1, 3, 4], "only run 2 saw what came and went"
    assert set(await tree_at(client, plan, 1)) == set(keep)


async def test_every_restore_point_that_is_left_is_whole(house: House, client: Client) -> None:
    """Random histories against a model that remembers every tree."""
    chance = random.Random(7)
    for round_ in range(3):
        plan = await client.plan(f"plan{round_}")
        tree = {b"base%d" % n: b"base%d" % n for n in range(6)}
        await client.copy(plan, {name: [content] for name, content in tree.items()})
        trees = {1: dict(tree)}
        for number in range(2, 10):
            changed = {
                b"f%d" % chance.randrange(4): b"%d" % chance.randrange(3)
                for _ in range(chance.randrange(3))
            }
            removed = [n for n in tree if n.startswith(b"f") and chance.random() < 0.3]
            removed = [name for name in removed if name not in changed]
            await client.copy(plan, {name: [one] for name, one in changed.items()}, removed)
            tree.update(changed)
            for name in removed:
                del tree[name]
            trees[number] = dict(tree)
        for number in trees:
            await date(client, plan, number, 50 - 5 * number)
        for days in (40, 27, 12, 3, 1):
            await expire(client, days=days)
            kept = max(n for n in trees if n == 1 or 50 - 5 * n >= days)
            left = await points(client, plan)
            assert set(left) >= {n for n in trees if n >= kept}
            for number in left:
                seen = await tree_at(client, plan, number)
                assert seen == {name: client.id_of(one) for name, one in trees[number].items()}
            for number in set(trees) - set(left):
                between = [trees[n] for n in range(number + 1, kept + 1)]
                lost = [
                    name
                    for name, one in trees[number].items()
                    if any(later.get(name) != one for later in between)
                ]
                assert lost, f"run {number} lost nothing up to {kept}"


async def test_a_run_with_a_wrong_clock_keeps_back_what_it_superseded(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    keep = {b"keep%d" % n: [b"keep%d" % n] for n in range(3)}
    for content in (b"one", b"two", b"three"):
        await client.copy(plan, {**keep, b"a": [content]})
    await date(client, plan, 1, 20)
    await date(client, plan, 2, 20_000)
    await date(client, plan, 3, 10)
    assert await expire(client) == 0, "run 2 says 1972, but came after one of 20 days ago"
    await date(client, plan, 1, 90)
    await date(client, plan, 2, -5_000)
    await date(client, plan, 3, 60)
    assert await expire(client) == 0


async def test_an_unusual_run_holds_until_somebody_clears_it(house: House, client: Client) -> None:
    plan = await client.plan()
    files = {b"f%02d" % n: [b"content %d" % n] for n in range(30)}
    await client.copy(plan, files)
    await client.copy(plan, {name: [b"encrypted " + name] for name in list(files)[:16]})
    for number in (1, 2):
        await date(client, plan, number, 100 - number)
    event = RunFinished.model_construct(
        tenant_id=client.tenant_id,
        plan_id=plan,
        number=2,
        restore_point=True,
        finished_at=datetime.now(UTC),
    )
    async with database.transaction(house.keeper.pool) as conn:
        await consumers.HANDLERS[RunFinished](conn, event)
        [hold] = [one for one in await store.expiry.holds.list_holds(conn) if one.plan_id == plan]
    assert (hold.number, hold.reason) == (2, Reason("files-lost", "2026-08-16", 16, 30))
    assert await expire(client) == 0
    async with database.transaction(house.keeper.pool) as conn:
        assert await actions.expiry.clear_holds(conn, plan, "the client converted them") == [2]
    with pytest.raises(NotFound):
        async with database.transaction(house.keeper.pool) as conn:
            await actions.expiry.clear_holds(conn, plan, "again")
    [cleared] = await client.said("expiry.cleared.v1")
    assert cleared["numbers"] == [2]
    assert await expire(client) == 16
    assert await points(client, plan) == [2]


async def test_expiry_judges_runs_of_which_no_event_came(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"f%02d" % n: [b"%d" % n] for n in range(9)})
    await client.copy(plan, {}, removed=[b"f%02d" % n for n in range(5)])
    for number in (1, 2):
        await date(client, plan, number, 100 - number)
    assert await expire(client) == 0
    [[since, why]] = await house.fetch(
        "SELECT since, reason FROM expiry_holds WHERE plan_id = $1", plan
    )
    assert (since, reasons.read(why)) == (1, Reason("files-lost", "2026-08-16", 5, 9))


@pytest.mark.parametrize(
    ("state", "alive"),
    [
        ("active", True),
        ("ending", True),
        ("suspended", False),
        ("ended", False),
        ("destroyed", False),
        ("unknown", False),
    ],
)
def test_only_a_living_subscription_forgets(state: str, alive: bool) -> None:
    assert rules.expiry.is_alive(state) is alive


def judged(client: Client, plan: UUID, number: int, *verdicts: Reason) -> RunJudged:
    """What reporting says of a run."""
    return RunJudged(
        tenant_id=client.tenant_id,
        run_id=uuid4(),
        plan_id=plan,
        number=number,
        verdicts=verdicts,
        figures=(),
        judged_at=datetime.now(UTC),
    )


async def test_what_reporting_finds_unusual_holds_as_well_and_hides_nothing(
    house: House, client: Client
) -> None:
    """Retention's own judgement stays: reporting's hold, cleared, is no state that it accepts."""
    plan = await client.plan()
    files = {b"f%02d" % n: [b"content %d" % n] for n in range(30)}
    await client.copy(plan, files)
    await client.copy(plan, {name: [b"other " + name] for name in list(files)[:12]})
    for number in (1, 2):
        await date(client, plan, number, 100 - number)
    stale = Reason("dump-identical", "crm.sql", 4, 1)
    async with database.transaction(house.keeper.pool) as conn:
        for event in (judged(client, plan, 1), judged(client, plan, 2, stale)):
            await consumers.HANDLERS[RunJudged](conn, event)
        [hold] = [one for one in await store.expiry.holds.list_holds(conn) if one.plan_id == plan]
    assert (hold.number, hold.reason) == (2, stale)
    assert await expire(client) == 0

    said = "SELECT payload FROM outbox WHERE tenant_id = $1 AND type = 'expiry.cleared.v1'"
    async with database.transaction(house.keeper.pool) as conn:
        assert await actions.expiry.clear_holds(conn, plan, "out of use") == [2]
    [[payload]] = await house.fetch(said, client.tenant_id)
    cleared = ExpiryCleared.model_validate_json(payload)
    assert (cleared.plan_id, cleared.numbers, cleared.reason) == (plan, (2,), "out of use")

    await client.copy(plan, {}, removed=list(files)[12:24])
    await date(client, plan, 3, 50)
    assert await expire(client) == 0, "24 of 30 are gone, and nobody accepted the first 12 of them"
    own = "SELECT judge, number, cleared_at IS NULL FROM expiry_holds WHERE plan_id = $1 ORDER BY 2"
    rows = [tuple(row) for row in await house.fetch(own, plan)]
    assert rows == [("reporting", 2, False), ("retention", 3, True)]
    async with database.transaction(house.keeper.pool) as conn:
        await consumers.HANDLERS[RunJudged](
            conn, judged(client, plan, 3, Reason("mass-removal", "", 6, 30))
        )
        assert await actions.expiry.clear_holds(conn, plan, "meant") == [3]
    assert await expire(client) == 24
