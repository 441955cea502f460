"""Shares: nobody takes all, who holds least comes first, and what is held comes back."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack

import pytest

from libs.shared.errors import ShareUsed, Unavailable
from libs.shared.shares import Pace, Shares


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_of_one_client_who_asks_first_is_served_first() -> None:
    memory = Shares("intake", most=100, total=100)
    order: list[str] = []

    async def use(name: str, amount: int) -> None:
        async with memory.hold("me", amount, 5):
            assert memory.held_by("me") <= 100
            order.append(name)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for name, amount in (("a", 60), ("b", 60), ("small", 10), ("huge", 500), ("c", 40)):
            group.create_task(use(name, amount))
    assert order == ["a", "b", "small", "huge", "c"]
    assert memory.free == 100


async def test_one_who_takes_all_it_can_leaves_the_rest_to_others() -> None:
    memory = Shares("intake", most=60, total=100)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(memory.hold("greedy", 20))
        with pytest.raises(ShareUsed):
            async with memory.hold("greedy", 1, 0.01):
                pass
        async with memory.hold("other", 40, 0.01):
            with pytest.raises(Unavailable):
                async with memory.hold("third", 1, 0.01):
                    pass
    assert memory.free == 100


async def test_who_holds_least_comes_first_and_waits_behind_nobodys_own_line() -> None:
    turns = Shares("processor", most=2, total=2)
    order: list[str] = []
    ended = asyncio.Event()

    async def use(who: str) -> None:
        async with turns.hold(who):
            order.append(who)
            await ended.wait()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(use("greedy"))
        await settle()
        assert order == ["greedy"] * 2
        group.create_task(use("other"))
        await settle()
        ended.set()
    assert "other" in order[2:4]
    assert turns.free == 2


async def test_a_large_amount_is_not_passed_by_for_ever() -> None:
    memory = Shares("intake", most=100, total=100)
    order: list[str] = []

    async def use(who: str, amount: int) -> None:
        async with memory.hold(who, amount):
            order.append(who)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group, memory.hold("first", 50):
        group.create_task(use("large", 100))
        await settle()
        for _ in range(10):
            group.create_task(use("small", 10))
        await settle()
        assert order == []
    assert order[0] == "large"


async def test_who_asks_for_too_much_is_not_told_so_at_once() -> None:
    """Else it would ask again at once, and cost as much as what is served."""
    requests = Shares("connections", most=1, line=0, told_after_seconds=0.2)
    async with requests.hold("a"):
        began = time.monotonic()
        with pytest.raises(ShareUsed):
            async with requests.hold("a"):
                pass
        assert time.monotonic() - began >= 0.2


async def test_a_line_has_an_end_and_one_of_others_is_not_waited_for() -> None:
    lines = Shares("plan", most=1, line=1)
    async with lines.hold("a"), lines.hold("b"):
        waiting = asyncio.create_task(lines.hold("a").__aenter__())
        await settle()
        with pytest.raises(ShareUsed) as refused:
            async with lines.hold("a"):
                pass
        assert refused.value.headers["Retry-After"] == "10"
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with lines.hold("a", 1, 0):
        pass


async def test_whatever_ends_a_wait_nothing_is_lost_of_the_whole() -> None:
    dice = random.Random(7)
    memory = Shares("intake", most=60, total=100)

    async def use(who: int) -> None:
        async with memory.hold(who, dice.randrange(1, 80), dice.choice([0.001, 0.01, None])):
            assert memory.free is not None
            assert memory.free >= 0
            assert memory.held_by(who) <= 60
            await asyncio.sleep(dice.random() / 300)

    tasks = [asyncio.create_task(use(number % 5)) for number in range(300)]
    for task in dice.sample(tasks, 60):
        await asyncio.sleep(0)
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = {type(one) for one in ended}
    assert kinds <= {type(None), asyncio.CancelledError, ShareUsed, Unavailable}, ended
    assert memory.free == 100
    assert not any(memory.held_by(who) for who in range(5))


async def test_who_is_ahead_of_its_pace_waits_and_nobody_else_does() -> None:
    pace = Pace(100, burst=5)

    async def is_let_in_at_once(who: str) -> bool:
        turn = asyncio.create_task(pace.wait(who))
        await settle()
        was_at_once = turn.done()
        await turn
        return was_at_once

    for _ in range(6):
        assert await is_let_in_at_once("rested")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(pace.wait("greedy") for _ in range(30)))
    assert loop.time() - began > 0.2
    assert await is_let_in_at_once("other")
