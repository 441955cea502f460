"""Ways around the hold of expiry: junk first, slowly, in place, under other names, after a clear.

The same plans live in the catalogue, by real runs, and in the model of `tests/retention/years`,
which must agree on what is gone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from libs.shared import database
from libs.shared.events import RunFinished
from services.retention import actions, consumers, rules, store
from tests.hostile.counting import Campaign
from tests.retention import conftest as retention
from tests.retention.house import Client, House
from tests.retention.test_losses import GENUINE, STEPS, Attacker
from tests.retention.years import BEGINNING, DAYS, Content, Life

make_house, house, client = retention.make_house, retention.house, retention.client

Tree = Mapping[str, Content]
Attack = Callable[[], Iterator[tuple[float, Tree]]]


def bytes_of(content: Content) -> list[bytes]:
    return [content.name.encode().ljust(content.size, b".")]


@dataclass
class Plan:
    """A plan of a client, in the catalogue and in the model."""

    client: Client
    plan_id: UUID
    life: Life = field(default_factory=Life)
    tree: dict[str, Content] = field(default_factory=dict)

    async def run(self, day: float, tree: Tree) -> None:
        """A run on that day, of which retention is told, and then the day's expiry."""
        changed = {path: one for path, one in tree.items() if self.tree.get(path) != one}
        number = await self.client.copy(
            self.plan_id,
            {path.encode(): bytes_of(one) for path, one in changed.items()},
            [path.encode() for path in self.tree.keys() - tree.keys()],
        )
        self.tree = dict(tree)
        await self.client.house.fetch(
            "UPDATE catalogue.runs SET committed_at = $4"
            " WHERE tenant_id = $1 AND plan_id = $2 AND number = $3",
            *self.of(number, BEGINNING + timedelta(days=day)),
        )
        await self.client.house.fetch(
            "UPDATE catalogue.versions SET received_at = $4"
            " WHERE tenant_id = $1 AND plan_id = $2 AND first_run = $3",
            *self.of(number, BEGINNING + timedelta(days=day)),
        )
        finished = RunFinished.model_construct(
            tenant_id=self.client.tenant_id,
            plan_id=self.plan_id,
            number=number,
            restore_point=True,
            finished_at=BEGINNING + timedelta(days=day),
        )
        async with database.transaction(self.client.house.keeper.pool) as conn:
            await consumers.HANDLERS[RunFinished](conn, finished)
        self.life.day(tree, at=day)
        await self.expire(day)

    def of(self, number: int, at: datetime) -> tuple[UUID, UUID, int, datetime]:
        return self.client.tenant_id, self.plan_id, number, at

    async def expire(self, day: float) -> int:
        keeper, now = self.client.house.keeper, BEGINNING + timedelta(days=day)
        async with database.acquire(keeper.pool) as conn:
            tenant = await store.tenants.find(conn, self.client.tenant_id)
        assert tenant is not None
        return await actions.expiry.expire_tenant(keeper, tenant, now)

    async def holds(self) -> list[store.expiry.holds.Hold]:
        async with database.acquire(self.client.house.keeper.pool) as conn:
            holds = await store.expiry.holds.list_holds(conn)
        return [hold for hold in holds if hold.plan_id == self.plan_id]

    async def gone(self, window: rules.expiry.Window) -> list[rules.expiry.Gone]:
        async with database.acquire(self.client.house.keeper.pool) as conn:
            return await store.expiry.judging.list_gone(
                conn, self.client.tenant_id, self.plan_id, 0, 1, window.settled_before
            )

    async def recover(self, contents: Tree) -> None:
        """Collects garbage for a month, then reads all of it; fails where anything is lost."""
        keeper = self.client.house.keeper
        for day in range(200, 230, 10):
            now = BEGINNING + timedelta(days=day)
            await actions.collection.tenant.collect_tenant(keeper, self.client.tenant_id, now)
        needed = await self.client.house.fetch(
            "SELECT count(DISTINCT chunk_ids) FROM catalogue.versions"
            " WHERE tenant_id = $1 AND plan_id = $2 AND chunk_ids = ANY($3)",
            self.client.tenant_id,
            self.plan_id,
            [self.client.id_of(bytes_of(one)[0]) for one in contents.values()],
        )
        assert needed[0][0] == len(contents)
        await self.client.read([bytes_of(one)[0] for one in contents.values()])


async def live(client: Client, attack: Attack, campaign: Campaign) -> Plan:
    """Lets an attack happen, and then two months pass."""
    plan = Plan(client, await client.plan())
    day = 0.0
    for day, tree in attack():
        await plan.run(day, tree)
        campaign.tried("runs that evade the hold of expiry")
    for later in range(1, 2 * DAYS + 2, 6):
        await plan.expire(day + later)
    return plan


JUNK = {f"junk {n}": Content(f"junk {n}", 1_500) for n in range(540)}


def junk_then_removal() -> Iterator[tuple[float, Tree]]:
    """The attack as it was found."""
    yield 0, GENUINE
    yield 1, {**GENUINE, **JUNK}
    yield 2, JUNK


def a_tenth_a_day() -> Iterator[tuple[float, Tree]]:
    left = list(GENUINE)
    yield 0, GENUINE
    for day in range(1, 11):
        left = left[6:]
        junk = {f"junk {n}": Content(f"junk {n}", 1_500) for n in range(6 * day)}
        yield day, {**{path: GENUINE[path] for path in left}, **junk}


def slowly_over_the_whole_window() -> Iterator[tuple[float, Tree]]:
    left = list(GENUINE)
    yield 0, GENUINE
    for day in range(1, DAYS, 3):
        left = left[6:]
        yield day, {**JUNK, **{path: GENUINE[path] for path in left}}


def encrypted_a_few_a_day() -> Iterator[tuple[float, Tree]]:
    tree = dict(GENUINE)
    yield 0, dict(tree)
    for day in range(1, 13):
        for path in list(GENUINE)[5 * day - 5 : 5 * day]:
            tree[path] = Content(f"encrypted {path}", GENUINE[path].size)
        yield day, dict(tree)


def truncated() -> Iterator[tuple[float, Tree]]:
    yield 0, GENUINE
    for kept in (40, 20, 0):
        cut = {path: Content(f"{path[4:]}", 2) for path in list(GENUINE)[kept:]}
        yield 60 - kept, {**GENUINE, **cut}


def renamed_then_replaced() -> Iterator[tuple[float, Tree]]:
    """Under the new names lies something else a week later."""
    yield 0, GENUINE
    yield 1, {**JUNK, **{f"x {path}": one for path, one in GENUINE.items()}}
    other = {f"x {path}": Content(f"y {path}", one.size) for path, one in GENUINE.items()}
    yield 8, {**JUNK, **other}


def large_files_alone() -> Iterator[tuple[float, Tree]]:
    """Few by number, most by bytes."""
    large = {f"film {n}": Content(f"film {n}", 90_000, 120) for n in range(12)}
    yield 0, {**GENUINE, **large}
    yield 3, {**GENUINE, **JUNK, **large}
    yield 5, {**GENUINE, **JUNK, **dict(list(large.items())[8:])}
    yield 9, {**GENUINE, **JUNK}


ATTACKS: list[Attack] = [
    junk_then_removal,
    a_tenth_a_day,
    slowly_over_the_whole_window,
    encrypted_a_few_a_day,
    truncated,
    renamed_then_replaced,
    large_files_alone,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_nothing_genuine_expires_however_it_is_attacked(
    client: Client, campaign: Campaign, attack: Attack
) -> None:
    plan = await live(client, attack, campaign)
    [hold, *_] = await plan.holds()
    assert hold.reason.code in {"files-lost", "bytes-lost"}
    assert plan.life.held is not None
    await plan.recover(next(attack())[1])


async def test_what_lies_under_another_name_is_no_loss(client: Client, campaign: Campaign) -> None:
    def moves() -> Iterator[tuple[float, Tree]]:
        yield 0, GENUINE
        yield 4, {f"new/{path}".replace("/", " "): one for path, one in GENUINE.items()}

    plan = await live(client, moves, campaign)
    assert await plan.holds() == []
    versions = await client.house.fetch(
        "SELECT count(*) FROM catalogue.versions WHERE tenant_id = $1 AND plan_id = $2",
        client.tenant_id,
        plan.plan_id,
    )
    assert versions[0][0] == len(GENUINE), "the old names have expired"


async def test_copies_in_another_plan_do_not_make_a_loss_good(
    house: House, client: Client, campaign: Campaign
) -> None:
    """They may go the next day, in a plan whose window never had much else than junk."""
    hiding = Plan(client, await client.plan("hiding"))
    await hiding.run(0, {**JUNK, **GENUINE})
    plan = await live(client, junk_then_removal, campaign)
    assert await plan.holds()
    assert await hiding.holds() == []


async def test_a_clear_accepts_what_was_held_and_nothing_after(
    house: House, client: Client, campaign: Campaign
) -> None:
    plan = Plan(client, await client.plan())
    await plan.run(0, GENUINE)
    await plan.run(1, {**GENUINE, **JUNK})
    some = dict(list(GENUINE.items())[:25])
    await plan.run(2, {**some, **JUNK})
    [hold] = await plan.holds()
    assert (hold.number, hold.reason.amount, hold.reason.limit) == (3, 35, 60)
    async with database.transaction(house.keeper.pool) as conn:
        await actions.expiry.clear_holds(conn, plan.plan_id, "an old project")
    await plan.run(3, {**some, **JUNK})
    assert await plan.holds() == []
    fewer = dict(list(GENUINE.items())[:12])
    await plan.run(4, {**fewer, **JUNK})
    for later in range(5, 70, 5):
        await plan.expire(later)
    [hold] = await plan.holds()
    assert (hold.reason.amount, hold.reason.limit) == (13, 25)
    await plan.recover(some)


async def test_catalogue_and_model_agree_on_what_is_gone(
    client: Client, campaign: Campaign
) -> None:
    for seed in range(4):
        chance = random.Random(seed)
        attacker = Attacker(dict(list(GENUINE.items())[:20]), chance)
        plan = Plan(client, await client.plan(f"plan{seed}"))
        await plan.run(0, attacker.tree)
        for day in range(1, 9):
            attacker.take(chance.choice(STEPS), chance.choice([0.1, 0.3, 0.6]))
            await plan.run(day, attacker.tree)
            campaign.tried("runs that evade the hold of expiry")
            window = rules.expiry.find_window(BEGINNING + timedelta(days=day), DAYS)
            assert sorted(await plan.gone(window), key=str) == sorted(
                plan.life.gone(window), key=str
            )


async def test_of_a_large_file_only_the_chunks_that_are_nowhere_are_missed(client: Client) -> None:
    plan = await client.plan()
    image = [b"%d" % n * 270_000 for n in range(10)]
    await client.copy(plan, {b"disk.img": image, b"b": [b"b"]})
    await client.copy(plan, {b"disk.img": [*image[:7], b"new" * 100], b"b": [b"c"]})
    async with database.acquire(client.house.keeper.pool) as conn:
        gone = await store.expiry.judging.list_gone(conn, client.tenant_id, plan, 0, 1, BEGINNING)
    assert sum(one.files for one in gone) == 1, "b alone: most of the image is there"
    assert sum(one.size_bytes for one in gone) == 810_001


async def test_a_run_that_changes_nothing_is_judged_by_two_looks(client: Client) -> None:
    plan = Plan(client, await client.plan())
    for day in range(3):
        await plan.run(day, GENUINE)
    async with database.transaction(client.house.keeper.pool) as conn:
        judged = await store.expiry.judging.lock_judged(conn, client.tenant_id, plan.plan_id)
        assert judged is not None
        assert judged.number == 3
        assert not await store.expiry.judging.is_superseded_since(
            conn, client.tenant_id, plan.plan_id, 2
        )
