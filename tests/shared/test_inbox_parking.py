"""What the inbox cannot handle: parked with the reason, shown, replayed, dropped."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import bus, clock, database, inbox
from libs.shared.database import Connection
from libs.shared.events import (
    Event,
    EventParked,
    ParkedDecided,
    ParkedSettled,
    VolumeChanged,
)
from libs.shared.inbox import parked
from tests.shared.conftest import TENANT, Sides, until, volume
from tests.shared.deliveries import delivery, make_due, store, workers
from tests.world.senders import SENDERS


async def test_an_event_that_fails_twelve_times_is_parked_then_replayed(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)), delivery(volume(2)))
    healed = False

    async def on_volume(_conn: Connection, event: VolumeChanged) -> None:
        if event.sequence == 1 and not healed:
            raise ArithmeticError("never")

    crew = workers(quota, {VolumeChanged: on_volume})
    for _ in range(20):
        while await crew.work_one():
            pass
        await make_due(quota)
    rows = await quota.pool.fetch("SELECT state, attempts FROM inbox ORDER BY position")
    assert [tuple(row) for row in rows] == [("parked", 12), ("done", 0)]
    assert await inbox.backlog(quota.pool) == (0, 0.0, 1)

    async with database.transaction(quota.pool) as conn:
        [listed] = await parked.list_parked(conn)
        assert "12 tries" in parked.line(listed)
        assert "never" in parked.line(listed)
        found = await parked.find(conn, listed["event_id"])
        assert found is not None
        assert '"sequence": 1' in parked.page(found)
        assert await parked.replay(conn, "quota", SENDERS, [listed["event_id"]], clock.now()) == [
            listed["event_id"]
        ]
    healed = True
    assert await crew.work_one()
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'done'") == 2


async def test_a_dropped_event_is_not_handled_even_if_it_comes_again(side: Sides) -> None:
    quota = await side("quota")
    bad = delivery(volume(1))
    await store(quota, bad)
    await quota.pool.execute("UPDATE inbox SET state = 'parked', error = 'why'")
    async with database.transaction(quota.pool) as conn:
        assert await parked.drop(conn, "quota", [UUID(bad.message_id), uuid4()], clock.now()) == [
            UUID(bad.message_id)
        ]
    await store(quota, bad)
    assert not await workers(quota, {}).work_one()


@pytest.mark.parametrize(
    "bad",
    [
        delivery(volume(1), body=b"\xff\xfe not json"),
        delivery(volume(1), body=b'{"sequence": 1}'),
        delivery(volume(1), body=b"[]"),
        delivery(volume(1), kind="never.heard.of.v1"),
        delivery(volume(1), kind="nul\0in\0it"),
        delivery(volume(1), message_id="not a uuid"),
        delivery(volume(1), message_id="\udcff"),
        delivery(volume(1), headers={"cloudEvents_sequence": str(2**70)}),
        delivery(volume(1), headers={"cloudEvents_sequence": "first"}),
        delivery(volume(1), headers={"cloudEvents_time": "2026-11-22T02:14:00"}),
        delivery(volume(1), headers={"cloudEvents_time": "0001-01-01T00:00:00+14:00"}),
        delivery(volume(1), headers={"cloudEvents_time": 7}),
    ],
    ids=[
        "bytes",
        "members",
        "list",
        "type",
        "nul",
        "id",
        "surrogate",
        "huge sequence",
        "no sequence",
        "time without zone",
        "time before time",
        "time as number",
    ],
)
async def test_what_is_no_event_is_kept_raw_with_the_reason(side: Sides, bad: bus.Delivery) -> None:
    quota = await side("quota")
    await store(quota, bad, delivery(volume(2)))
    await store(quota, bad)
    rows = await quota.pool.fetch("SELECT * FROM inbox ORDER BY state")
    assert [row["state"] for row in rows] == ["parked", "pending"]
    assert rows[0]["raw"] == bad.body
    assert rows[0]["error"]
    async with database.transaction(quota.pool) as conn:
        assert await parked.replay(conn, "quota", SENDERS, [rows[0]["event_id"]], clock.now()) == []
        assert "as it came" in parked.page(rows[0])


async def test_a_hundred_bad_among_a_thousand_block_nothing(side: Sides) -> None:
    quota = await side("quota")
    deliveries = [
        delivery(volume(number), body=b"?" * (number + 1) if number % 20 == 0 else b"")
        for number in range(1000)
    ]
    await store(quota, *deliveries)

    async def on_volume(_conn: Connection, event: VolumeChanged) -> None:
        if event.sequence % 20 == 1:
            raise ArithmeticError("bad")

    quota.start(workers(quota, {VolumeChanged: on_volume}).run())
    await until(lambda: quota.handled(900), 90)
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'parked'") == 50
    assert await quota.value("SELECT min(attempts) FROM inbox WHERE state = 'pending'") >= 1


async def test_an_event_without_a_handler_is_parked_and_says_so(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)))
    assert await workers(quota, {}).work_one()
    assert await quota.value("SELECT state FROM inbox") == "parked"
    assert "quota has no handler for volume.changed.v1" in await quota.value(
        "SELECT error FROM inbox"
    )


async def test_the_portal_is_told_once_decides_and_is_told_what_became_of_it(side: Sides) -> None:
    quota = await side("quota")
    good, unreadable = delivery(volume(1)), delivery(volume(2), body=b"[]")
    own = delivery(parked_event(), message_id=str(uuid4()))
    await store(quota, good, unreadable, own)
    await quota.pool.execute("UPDATE inbox SET state = 'parked', attempts = 12, error = 'why'")

    async def said(kind: type[Event]) -> list[Any]:
        rows = await quota.pool.fetch(
            "SELECT payload FROM outbox WHERE type = $1 ORDER BY position", kind.type
        )
        return [kind.model_validate_json(row["payload"]) for row in rows]

    async def tell() -> int:
        async with database.transaction(quota.pool) as conn:
            return await parked.tell(conn, "quota")

    assert await tell() == 2
    assert await tell() == 0
    told = await said(EventParked)
    assert {one.event_type for one in told} == {"volume.changed.v1"}
    assert {one.error for one in told} == {"why"}
    assert {one.tenant_id for one in told} == {TENANT, parked.NO_TENANT}

    async def decide(event_id: UUID, decision: Any, service: str = "quota") -> None:
        decided = ParkedDecided(
            tenant_id=TENANT,
            service=service,
            event_id=event_id,
            decision=decision,
            reason="mended",
            by="Olivia",
        )
        async with database.transaction(quota.pool) as conn:
            await parked.follow_decision("quota", SENDERS, conn, decided)

    async def states() -> list[str]:
        rows = await quota.pool.fetch("SELECT state FROM inbox ORDER BY position")
        return [row["state"] for row in rows]

    event_id = UUID(good.message_id)
    await decide(event_id, "replay", service="ingest")
    await decide(uuid4(), "drop")
    assert await states() == ["parked"] * 3
    await decide(event_id, "replay")
    assert (await states())[0] == "pending"
    assert [one.event_id for one in await said(ParkedSettled)] == [event_id]
    # What can't be believed stays, and is told again; dropped, it is done.
    [raw] = [one.event_id for one in told if one.event_id != event_id]
    await decide(raw, "replay")
    assert await tell() == 1
    await decide(raw, "drop")
    assert await states() == ["pending", "done", "parked"]
    assert [one.event_id for one in await said(ParkedSettled)] == [event_id, raw]
    # It fails again: that is told as well.
    await quota.pool.execute("UPDATE inbox SET state = 'parked' WHERE state = 'pending'")
    assert await tell() == 1


def parked_event() -> EventParked:
    return EventParked(
        tenant_id=TENANT,
        service="quota",
        event_id=uuid4(),
        event_type="volume.changed.v1",
        error="",
        attempts=12,
        parked_at=clock.now(),
    )
