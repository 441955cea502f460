"""A request that is cut: where it waits for its sender, and nowhere else."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from services.ingest.actions.underway import Cut, UnderWay

AGENT, OTHER = uuid4(), uuid4()


async def never() -> bytes:
    await asyncio.sleep(600)
    return b""


async def at_once() -> bytes:
    return b"piece"


async def test_a_request_that_waits_is_cut_and_another_agents_is_not() -> None:
    under_way = UnderWay()
    with under_way.hold(AGENT) as mine, under_way.hold(OTHER) as foreign:
        assert sorted(under_way.agents) == sorted([AGENT, OTHER])
        waiting = asyncio.create_task(mine.wait(never))
        others = asyncio.create_task(foreign.wait(never))
        await asyncio.sleep(0)
        assert under_way.cut(AGENT) == 1
        with pytest.raises(Cut):
            await waiting
        assert not others.done()
        others.cancel()
    assert under_way.agents == []
    assert under_way.cut(AGENT) == 0


async def test_one_that_works_meanwhile_ends_its_work_and_gets_no_more() -> None:
    under_way = UnderWay()
    with under_way.hold(AGENT) as mine:
        assert await mine.wait(at_once) == b"piece"
        under_way.cut(AGENT)
        await asyncio.sleep(0.01)  # the work, which goes on
        for _ in range(2):
            under_way.cut(AGENT)
            with pytest.raises(Cut):
                await mine.wait(at_once)


async def test_the_patience_of_others_stays_theirs() -> None:
    """A time-out from without or within is told as what it is."""
    with UnderWay().hold(AGENT) as mine:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await mine.wait(never)

        async def impatient() -> bytes:
            async with asyncio.timeout(0.01):
                return await never()

        with pytest.raises(TimeoutError):
            await mine.wait(impatient)
        assert await mine.wait(at_once) == b"piece"
