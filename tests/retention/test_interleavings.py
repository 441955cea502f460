"""Random lives of a client: runs, expiry and collection, cut and crossed at every step.

No reachable chunk is ever lost, every unreachable one goes in the end, and the stored volume is
exact at every step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from services.retention import rules
from tests.retention.copying import Bench
from tests.retention.house import House
from tests.retention.living import Life


def live(
    make_house: Callable[[rules.collection.Limits], House], examples: int, steps: int, *, same: bool
) -> dict[str, int]:
    """Lives that many lives; returns how often what happened."""
    limits = rules.collection.Limits(young=timedelta(0), grace=timedelta(days=1))
    with asyncio.Runner() as runner:
        bench = Bench(runner, runner.run(make_house(limits).open()))
        machine = type("Life", (Life,), {"bench": bench})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    derandomize=same,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate, Phase.shrink],
                ),
            )
        finally:
            runner.run(bench.house.close())
    return bench.steps


def test_lives_cross_collections(make_house: Callable[[rules.collection.Limits], House]) -> None:
    happened = live(make_house, examples=6, steps=40, same=True)
    print(happened)
    assert happened.get("commit"), happened


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_thousands_of_crossings(make_house: Callable[[rules.collection.Limits], House]) -> None:
    happened = live(make_house, examples=400, steps=60, same=False)
    print(happened)
    for step in (
        "commit",
        "condemned",
        "repacked",
        "deleted True",
        "crossed upload refused",
        "died before deleting objects",
        "swept",
    ):
        assert happened.get(step), happened
