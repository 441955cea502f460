"""Random lives of plans that share contents, with what is dropped, taken back and collected.

After each step the stored volume is what a count of all rows says, and every restore point that is
shown gives back, byte for byte, all that was not dropped of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from libs.shared import clock
from services.retention import actions
from services.retention.rules.collection import Limits
from tests.retention import dropping
from tests.retention.house import Client, House

CONTENTS = [bytes([65 + n]) * (1 + 90 * (n % 4)) for n in range(6)]
PATHS = [b"a", b"x/b", b"x/c", b"x/y/d", b"z/e"]
FOLDERS = [b"x", b"x/y", b"z", b"nowhere"]
WEEK = timedelta(days=7, hours=1)

Tree = dict[bytes, bytes]


@dataclass
class Drop:
    """A reduction of the model: it takes of the points up to `through` what is at or below."""

    reduction_id: UUID
    plan_id: UUID
    what: str
    folder: bytes
    through: int
    is_collected: bool = False

    def hides(self, number: int) -> bool:
        """Whether a restore point is not shown at all."""
        return self.what != "folder" and number <= self.through

    def takes(self, number: int, path: bytes) -> bool:
        """Whether a file of a restore point is not given out."""
        return number <= self.through and path.startswith(self.folder + b"/")


class Dropping(RuleBasedStateMachine):
    """One client with two plans."""

    runner: asyncio.Runner
    house: House
    happened: dict[str, int]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.now = clock.now()
        self.client: Client = self.run(self.house.tenant())
        self.points: dict[UUID, dict[int, Tree]] = {
            self.run(self.client.plan(name)): {} for name in ("docs", "mails")
        }
        self.drops: list[Drop] = []

    @rule(
        which=st.integers(0, 1),
        tree=st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS), min_size=1),
    )
    def copy(self, which: int, tree: Tree) -> None:
        plan_id = list(self.points)[which]
        files = {path: [content] for path, content in tree.items()}
        self.points[plan_id][self.run(dropping.copy_anew(self.client, plan_id, files))] = tree
        self.check()

    @precondition(lambda self: any(self.points.values()))
    @rule(which=st.integers(0, 1), what=st.sampled_from(["plan", "folder", "folder", "older"]),
          folder=st.sampled_from(FOLDERS))  # fmt: skip
    def drop(self, which: int, what: str, folder: bytes) -> None:
        plan_id = list(self.points)[which]
        more: dict[str, Any] = {
            "plan": {}, "folder": {"folder": folder},
            "older": {"before": clock.now() + timedelta(hours=1)},
        }[what]  # fmt: skip
        newest = max(self.points[plan_id], default=0)
        reduction_id = self.run(dropping.order(self.client, plan_id, what, **more))
        through = newest - 1 if what == "older" else newest
        self.drops.append(Drop(reduction_id, plan_id, what, folder, through))
        self.happened[what] = self.happened.get(what, 0) + 1
        self.check()

    @precondition(lambda self: self.drops)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        drop = data.draw(st.sampled_from(self.drops))
        self.run(dropping.take_back(self.client, drop.reduction_id))
        if not drop.is_collected:
            self.drops.remove(drop)
            self.happened["taken back"] = self.happened.get("taken back", 0) + 1
        self.check()

    @precondition(lambda self: any(self.points.values()))
    @rule(passes=st.sampled_from([True, True, False]))
    def night(self, passes: bool) -> None:
        if passes:
            self.now += WEEK
            for drop in self.drops:
                drop.is_collected = True
                for number in [one for one in self.points[drop.plan_id] if drop.hides(one)]:
                    del self.points[drop.plan_id][number]
                    self.happened["gone"] = self.happened.get("gone", 0) + 1
        self.run(dropping.pass_night(self.client, self.now if passes else clock.now()))
        self.check()

    def check(self) -> None:
        self.run(self._check())

    async def _check(self) -> None:
        await dropping.check_volume(self.client)
        for plan_id, points in self.points.items():
            drops = [one for one in self.drops if one.plan_id == plan_id]
            shown = [n for n in points if not any(one.hides(n) for one in drops)]
            assert await dropping.points(self.client, plan_id) == shown
            for number in shown:
                expected = {
                    path: content
                    for path, content in points[number].items()
                    if not any(one.takes(number, path) for one in drops if one.what == "folder")
                }
                assert await dropping.restore(self.client, plan_id, number) == expected

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.run(self.come_to_rest())

    async def come_to_rest(self) -> None:
        """In the end what is stored is what is needed, and nothing is discounted any more."""
        for _ in range(4):
            self.now += WEEK
            await dropping.pass_night(self.client, self.now)
        rows = await self.house.fetch(
            "SELECT FROM catalogue.packs WHERE tenant_id = $1 AND dropped_bytes > 0",
            self.client.tenant_id,
        )
        assert not rows
        async for one in actions.audit.repairing.audit_tenant(
            self.house.keeper, self.client.tenant_id, self.now, self.now, repair=False
        ):
            raise AssertionError(one)


def live(make_house: Callable[[Limits], House], examples: int, *, same: bool) -> dict[str, int]:
    """Lives that many lives; returns how often what happened."""
    happened: dict[str, int] = {}
    with asyncio.Runner() as runner:
        house = runner.run(make_house(Limits(timedelta(0), timedelta(days=1))).open())
        more = {"runner": runner, "house": house, "happened": happened}
        try:
            run_state_machine_as_test(
                type("Life", (Dropping,), more),
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=25,
                    deadline=None,
                    derandomize=same,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate, Phase.shrink],
                ),
            )
        finally:
            runner.run(house.close())
    return happened


def test_lives_with_drops(make_house: Callable[[Limits], House]) -> None:
    happened = live(make_house, 5, same=True)
    print(happened)
    assert happened.get("taken back"), happened


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_hundreds_of_lives_with_drops(make_house: Callable[[Limits], House]) -> None:
    print(live(make_house, 200, same=False))
