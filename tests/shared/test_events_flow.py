"""From a committed row in one service to a handled event in another, on real servers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from libs.shared import bus, clock, database, outbox
from libs.shared.bus.connections import trouble_translated
from libs.shared.database import Connection
from libs.shared.events import VolumeChanged
from libs.shared.inbox import consumer, worker
from tests.shared.conftest import Sides, until, volume
from tests.shared.deliveries import delivery
from tests.shared.gate import Gate
from tests.world.senders import SENDERS


class Seen:
    """A handler that counts what it handled, in memory: once per commit of its transaction."""

    def __init__(self) -> None:
        self.sequences: Counter[int] = Counter()

    async def on_volume(self, _conn: Connection, event: VolumeChanged) -> None:
        self.sequences[event.sequence] += 1


async def test_what_is_committed_is_handled_at_once(
    side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hint brings it, before anybody looks by the clock."""
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    handled = asyncio.Event()

    async def on_volume(_conn: Connection, _event: VolumeChanged) -> None:
        handled.set()

    listening = quota.listen({VolumeChanged: on_volume})
    await until(lambda: _true(listening.connected))
    await ingest.say(volume(0))
    await until(lambda: quota.handled(1))

    for module in (outbox, worker):
        monkeypatch.setattr(module, "POLL_SECONDS", 600.0)
    async with asyncio.timeout(60):
        for number in range(1, 11):
            handled.clear()
            await ingest.say(volume(number))
            await handled.wait()


async def test_a_rolled_back_event_was_never_said(side: Sides) -> None:
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    quota.listen()

    async def fail() -> None:
        async with database.transaction(ingest.pool) as conn:
            await outbox.add(conn, volume(1))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await ingest.say(volume(2))
    await until(lambda: quota.value("SELECT count(*) FROM inbox"))
    assert await quota.value("SELECT payload::json->>'sequence' FROM inbox") == "2"


async def test_events_keep_their_order_and_numbers_without_gaps(side: Sides) -> None:
    ingest = await side("ingest")
    for number in range(300):
        await ingest.say(*(volume(number * 4 + place) for place in range(4)))
    ingest.relay()
    await until(ingest.all_published)
    rows = await ingest.pool.fetch(
        "SELECT sequence, payload::json->>'sequence' AS said FROM outbox ORDER BY sequence"
    )
    assert [row["sequence"] for row in rows] == list(range(1, 1201))
    assert [int(row["said"]) for row in rows] == list(range(1200))


async def test_a_late_commit_is_not_lost(side: Sides) -> None:
    """A transaction that began first may commit last; its row has the lower position."""
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    quota.listen()
    async with database.transaction(ingest.pool) as conn:
        await outbox.add(conn, volume(1))
        await ingest.say(volume(2))
        await until(
            lambda: ingest.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL")
        )
    await until(ingest.all_published)
    await until(lambda: _is(2, quota.value("SELECT count(*) FROM inbox")))
    numbers = await ingest.pool.fetch("SELECT sequence FROM outbox ORDER BY position")
    assert [row["sequence"] for row in numbers] == [2, 1]


async def test_what_is_said_while_the_broker_is_down_arrives_when_it_is_back(
    side: Sides, amqp_url: str
) -> None:
    async with Gate(amqp_url) as gate:
        ingest, quota = await side("ingest", gate.url), await side("quota", gate.url)
        seen = Seen()
        ingest.relay()
        listening = quota.listen({VolumeChanged: seen.on_volume})
        await until(lambda: _true(listening.connected))
        await gate.shut()
        await ingest.say(*map(volume, range(50)))
        await until(lambda: _true(not listening.connected))
        await gate.open()
        await until(lambda: quota.handled(50), what="delivery after the outage")
    assert seen.sequences == Counter(range(50))


def test_a_channel_that_closed_without_a_reason_is_an_outage_and_a_fault_of_ours_is_not() -> None:
    told = pytest.raises(bus.BusDown, match="can't publish: the channel was closed")
    with told, trouble_translated("can't publish"):
        raise Exception  # noqa: TRY002 - what aiormq raises
    with pytest.raises(ValueError, match="ours"), trouble_translated("can't publish"):
        raise ValueError("ours")


async def test_connections_cut_again_and_again_lose_and_double_nothing(
    side: Sides, amqp_url: str
) -> None:
    async with Gate(amqp_url) as gate:
        ingest, quota = await side("ingest", gate.url), await side("quota", gate.url)
        seen = Seen()
        ingest.relay()
        quota.listen({VolumeChanged: seen.on_volume})
        for number in range(6):
            await ingest.say(*map(volume, range(number * 200, number * 200 + 200)))
            await asyncio.sleep(random.uniform(0.05, 0.3))
            await gate.shut()
            await gate.open()
        await until(lambda: quota.handled(1200))
    assert seen.sequences == Counter(range(1200))


async def test_a_service_that_never_ran_finds_what_was_said_before(side: Sides) -> None:
    ingest = await side("ingest")
    relay = ingest.relay()
    await ingest.say(volume(1))
    await until(ingest.all_published)
    assert relay.active
    quota = await side("quota")
    quota.listen()
    await until(lambda: quota.value("SELECT count(*) FROM inbox"))


async def test_an_unmarked_event_is_published_twice_and_handled_once(side: Sides) -> None:
    """As after a relay that died between the confirm and its mark."""
    ingest, quota = await side("ingest"), await side("quota")
    seen = Seen()
    ingest.relay()
    quota.listen({VolumeChanged: seen.on_volume})
    await ingest.say(volume(1))
    await until(ingest.all_published)
    await ingest.pool.execute("UPDATE outbox SET published_at = NULL")
    await ingest.say(volume(2))
    await until(lambda: quota.handled(2))
    await until(ingest.all_published)
    await asyncio.sleep(0.2)
    assert seen.sequences == Counter([1, 2])
    numbers = await ingest.pool.fetch("SELECT sequence FROM outbox ORDER BY position")
    assert [row["sequence"] for row in numbers] == [1, 2]


async def test_shuffled_and_repeated_deliveries_are_handled_once_each(side: Sides) -> None:
    quota = await side("quota")
    seen = Seen()
    deliveries = [delivery(volume(number)) for number in range(200)] * 3
    random.shuffle(deliveries)
    for start in range(0, 600, 37):
        await consumer.store(quota.pool, SENDERS, deliveries[start : start + 37])
    quota.listen({VolumeChanged: seen.on_volume})
    await until(lambda: quota.handled(200))
    assert seen.sequences == Counter(range(200))


async def test_a_consumer_that_ends_before_it_acknowledges_gets_all_again(side: Sides) -> None:
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    await ingest.say(*map(volume, range(100)))
    await until(ingest.all_published)
    async with bus.subscription(quota.amqp_url, "quota") as subscription:
        deliveries = await subscription.batch(500)
        await consumer.store(quota.pool, SENDERS, deliveries)
    seen = Seen()
    quota.listen({VolumeChanged: seen.on_volume})
    await until(lambda: quota.handled(100))
    assert seen.sequences == Counter(range(100))


async def test_only_one_of_two_relays_publishes_and_the_other_takes_over(side: Sides) -> None:
    ingest, twin = await side("ingest"), await side("ingest")
    first, second = ingest.relay(), twin.relay()
    await ingest.say(volume(1))
    await until(ingest.all_published)
    await asyncio.sleep(0.3)
    assert first.active != second.active
    active, standby, other = (ingest, second, twin) if first.active else (twin, first, ingest)
    await active.end()
    await other.say(volume(2))
    await until(lambda: _true(standby.active))
    await until(other.all_published)


async def test_a_relay_that_loses_its_lock_stops_publishing_and_takes_it_again(
    side: Sides, database: Any
) -> None:
    ingest = await side("ingest")
    relay = ingest.relay()
    await until(lambda: _true(relay.active))
    admin = await asyncpg.connect(database.admin_dsn)
    killed = await admin.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name LIKE 'coffre-ingest-relay-%' AND datname = current_database()"
    )
    await admin.close()
    assert killed == 1
    await ingest.say(volume(1))
    await until(ingest.all_published)
    assert relay.active


async def test_what_nobody_hears_is_caught(side: Sides) -> None:
    ingest = await side("ingest")
    async with bus.publisher(ingest.amqp_url, "test") as publisher:
        assert await publisher.publish([_message(1, "nobody.hears.v1")]) == [None]
        assert await publisher.waiting(bus.UNROUTED) == 1


async def test_a_returned_message_is_no_success(amqp_url: str) -> None:
    connection = await bus.connect(amqp_url, "test")
    async with bus.publisher(amqp_url, "test") as publisher:
        channel = await connection.channel()
        unrouted = await channel.get_exchange(bus.UNROUTED)
        await unrouted.delete()
        [result] = await publisher.publish([_message(1, "nobody.hears.v1")])
        assert isinstance(result, bus.BusDown)
    await connection.close()


async def test_old_rows_are_forgotten_and_young_ones_kept(side: Sides) -> None:
    ingest = await side("ingest")
    ids = await ingest.say(*map(volume, range(4)))
    await ingest.pool.execute(
        "UPDATE outbox SET published_at = $1 WHERE event_id = $2",
        clock.now() - outbox.KEPT * 1.01,
        ids[0],
    )
    await ingest.pool.execute(
        "UPDATE outbox SET published_at = $1 WHERE event_id = $2", clock.now(), ids[1]
    )
    assert await outbox.prune(ingest.pool) == 1
    assert await ingest.value("SELECT count(*) FROM outbox") == 3
    assert (await outbox.backlog(ingest.pool))[0] == 2


def _message(sequence: int, kind: str = VolumeChanged.type) -> bus.Message:
    event = volume(sequence)
    return bus.Message(
        event_id=uuid4(),
        type=kind,
        routing_key=kind,
        body=event.model_dump_json().encode(),
        source="/services/ingest",
        subject=event.tenant_id,
        time=clock.now(),
        sequence=sequence,
    )


async def _true(value: bool) -> bool:
    return value


async def _is(expected: int, found: Any) -> bool:
    return bool(await found == expected)
