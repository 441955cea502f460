"""Few passwords are compared at once, and whoever asks often waits for themselves."""

from __future__ import annotations

import asyncio

from services.portal.actions.people.turns import Turns


class Bench:
    """Work that ends when it is told to, in the order in which it was begun."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.begun: list[str] = []
        self.gate = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, source: str, *, is_known: bool = False) -> asyncio.Task[None]:
        async def work() -> None:
            async with self.turns.take(source, is_known=is_known):
                self.begun.append(source)
                await self.gate.wait()

        self.tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(0)
        return self.tasks[-1]

    async def end(self) -> list[str]:
        self.gate.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.begun


async def test_sources_take_turns_and_the_known_come_first() -> None:
    bench = Bench(1)
    for source in ("a", "a", "a", "a", "b", "b", "c"):
        await bench.ask(source)
    await bench.ask("owner", is_known=True)
    assert bench.begun == ["a"]
    assert await bench.end() == ["a", "owner", "a", "b", "c", "a", "b", "a"]


async def test_who_goes_away_leaves_the_turn_to_others() -> None:
    bench = Bench(1)
    first = await bench.ask("a")
    second = await bench.ask("b")
    third = await bench.ask("c")
    second.cancel()
    await asyncio.sleep(0)
    first.cancel()  # in the middle of its work
    await asyncio.sleep(0.01)
    assert bench.begun == ["a", "c"]
    fourth = await bench.ask("d")
    third.cancel()
    fourth.cancel()  # at the moment that its turn comes
    await asyncio.sleep(0.01)
    await bench.ask("e")
    assert await bench.end() == ["a", "c", "e"]
