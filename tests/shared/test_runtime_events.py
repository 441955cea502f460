"""Events of a service that is a process: it dies at the worst moment, and hears its own ping."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.conftest import Sides, allowance, until, volume


async def test_a_crash_after_publishing_doubles_nothing(start: Any, side: Sides) -> None:
    """The relay dies between the confirm and its mark; the next one publishes again."""
    quota, portal = await side("quota"), await side("portal")
    await quota.say(allowance(1), allowance(2))
    service = await start(COFFRE_CRASHPOINT="outbox.after_publish")
    assert await service.ends() == 137
    assert not await quota.all_published()
    service = await start()
    await until(quota.all_published, 90)
    portal.listen()
    await until(lambda: portal.value("SELECT count(*) = 2 FROM inbox"))
    numbers = await quota.value(
        "SELECT array_agg(sequence ORDER BY position) FROM outbox WHERE type LIKE 'allowance.%'"
    )
    assert numbers == [1, 2]


@pytest.mark.parametrize("place", ["inbox.before_ack", "inbox.before_commit"])
async def test_a_crash_while_handling_loses_and_doubles_nothing(
    start: Any, side: Sides, place: str
) -> None:
    quota, ingest = await side("quota"), await side("ingest")
    ingest.relay()
    await ingest.say(*map(volume, range(10)))
    await until(ingest.all_published)
    crashed = await start(COFFRE_CRASHPOINT=f"{place}:2" if "commit" in place else place)
    assert await crashed.ends() == 137
    await start()
    await until(
        lambda: quota.value(
            "SELECT count(*) = 10 FROM inbox WHERE state = 'done' AND type = 'volume.changed.v1'"
        ),
        90,
    )


async def test_its_own_ping_comes_back(start: Any, side: Sides) -> None:
    quota = await side("quota")
    await start()
    await until(
        lambda: quota.value(
            "SELECT 1 FROM inbox WHERE type = 'service.pinged.v1' AND state='done'"
        ),
        90,
    )
    assert await quota.value("SELECT count(*) FROM inbox") == 1
