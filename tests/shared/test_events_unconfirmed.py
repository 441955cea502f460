"""Between two certainties: a message is somebody's at every moment, whoever stops or refuses."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg

from libs.shared import bus, clock, database, outbox
from libs.shared.events import PasswordIssued, VolumeChanged
from tests.shared.conftest import TENANT, Side, Sides, until, volume
from tests.shared.test_events_flow import Seen


def password(number: int) -> PasswordIssued:
    """An event with a secret, which its outbox empties once its reader has it."""
    return PasswordIssued(
        tenant_id=TENANT,
        password_id=uuid4(),
        user_id=uuid4(),
        name=f"{number}",
        email="camille@dupre.example",
        locale="fr",
        sealed_password="sealed",
        expires_at=clock.now(),
        first=True,
    )


async def waiting(amqp_url: str, queue: str = "coffre.quota") -> int:
    """How many messages the broker has ready in a queue."""
    connection = await bus.connect(amqp_url, "test")
    try:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
    finally:
        await connection.close()


async def test_what_is_not_stored_yet_is_still_the_brokers(
    side: Sides, database: Any, amqp_url: str
) -> None:
    """A service that dies while it stores what arrived: the broker gives all of it again."""
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    admin = await asyncpg.connect(database.admin_dsn)
    async with admin.transaction():
        await admin.execute("LOCK TABLE quota.inbox IN ACCESS EXCLUSIVE MODE")
        await ingest.say(*map(volume, range(20)))
        await until(ingest.all_published)
        quota.listen()

        async def is_storing() -> bool:
            return bool(
                await admin.fetchval(
                    "SELECT count(*) FROM pg_locks"
                    " WHERE relation = 'quota.inbox'::regclass AND NOT granted"
                )
            )

        await until(is_storing, what="the consumer's wait for its inbox")
        await quota.end()
    await admin.close()
    assert await quota.value("SELECT count(*) FROM inbox") == 0, "the crash came too late"

    async def is_given_back() -> bool:
        return await waiting(amqp_url) == 20

    await until(is_given_back, 60, "the broker's giving back of what no inbox has")
    seen = Seen()
    quota.listen({VolumeChanged: seen.on_volume})
    await until(lambda: quota.handled(20))
    assert seen.sequences == Counter(range(20))


async def test_an_acknowledgement_speaks_of_its_own_deliveries_alone(
    side: Sides, amqp_url: str
) -> None:
    ingest = await side("ingest")
    ingest.relay()
    ids = await ingest.say(*map(volume, range(9)))
    await until(ingest.all_published)
    async with bus.subscription(amqp_url, "quota") as subscription:
        before = await subscription.batch(1)
        stored = await subscription.batch(1)
        await subscription.acknowledge(stored)
        # A channel is answered in order: once this is, the acknowledgement has arrived.
        await subscription._underlay.basic_qos(prefetch_count=1000)

    others = {str(one) for one in ids} - {one.message_id for one in stored}
    assert before[0].message_id in others

    async def are_back() -> bool:
        return await waiting(amqp_url) == len(others)

    await until(are_back, 10, "the return of what nobody acknowledged")
    left: set[str] = set()
    async with asyncio.timeout(60), bus.subscription(amqp_url, "quota") as subscription:
        while len(left) < len(others):
            left |= {one.message_id for one in await subscription.batch(500)}
    assert left == others


class Narrow:
    """A queue that takes three messages of a kind and refuses what comes beyond them."""

    ROOM = 3

    def __init__(self, channel: aio_pika.abc.AbstractChannel, queue: Any) -> None:
        self._channel = channel
        self._queue = queue

    @classmethod
    async def put_up(cls, connection: Any, routing_key: str) -> Narrow:
        channel = await connection.channel()
        arguments = {"x-max-length": cls.ROOM, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue("narrow", arguments=arguments)
        await queue.bind(bus.EXCHANGE, routing_key)
        return cls(channel, queue)

    async def take_away(self) -> None:
        await self._queue.delete(if_unused=False, if_empty=False)


async def outbox_rows(side: Side) -> list[tuple[int, bool]]:
    """(number in the event, published) of each row, as they were said."""
    async with database.acquire(side.pool) as conn:
        rows = await conn.fetch(
            "SELECT payload, published_at IS NOT NULL AS published FROM outbox ORDER BY position"
        )
    told = [(json.loads(row["payload"]), row["published"]) for row in rows]
    assert all(said["sealed_password"] for said, _ in told), "no reader has said to have it"
    return [(int(said["name"]), done) for said, done in told]


async def test_of_a_batch_only_what_the_broker_confirmed_is_sent(
    side: Sides, amqp_url: str
) -> None:
    portal = await side("portal")
    connection = await bus.connect(amqp_url, "test")
    narrow = await Narrow.put_up(connection, PasswordIssued.type)
    await portal.say(*map(password, range(8)))
    portal.relay()

    async def was_tried_again() -> bool:
        # What was refused reached this other queue all the same, and comes to it once more.
        return await waiting(amqp_url, bus.queue_of("reporting")) > 8

    await until(was_tried_again, what="another try of what the broker refused")
    assert await outbox_rows(portal) == [(number, number < Narrow.ROOM) for number in range(8)], (
        "sent is what was confirmed, and nothing else"
    )

    await narrow.take_away()
    await until(portal.all_published)
    assert await outbox_rows(portal) == [(number, True) for number in range(8)]
    await connection.close()


async def test_what_comes_back_because_nobody_wants_it_stays_in_the_outbox(
    side: Sides, amqp_url: str
) -> None:
    """One of a batch that no queue takes, not even the one for such: the others are sent."""
    portal = await side("portal")
    connection = await bus.connect(amqp_url, "test")
    channel = await connection.channel()
    await (await channel.get_exchange(bus.UNROUTED)).delete()
    await portal.say(*map(password, range(5)))
    await portal.pool.execute(
        "UPDATE outbox SET routing_key = 'service.pinged.v1.portal' WHERE position = 3"
    )
    queue = await channel.get_queue(bus.queue_of("portal"))
    await queue.unbind(bus.EXCHANGE, "service.pinged.v1.portal")
    portal.relay()

    async def four_are_sent() -> bool:
        return sum(done for _, done in await outbox_rows(portal)) >= 4

    await until(four_are_sent)
    expected = [(number, number != 2) for number in range(5)]
    assert await outbox_rows(portal) == expected
    await queue.bind(bus.EXCHANGE, "service.pinged.v1.portal")
    await until(portal.all_published)
    await connection.close()


async def test_events_go_out_in_the_order_of_their_numbers(side: Sides, amqp_url: str) -> None:
    """Over several batches, and whatever order the rows lie in."""
    ingest = await side("ingest")
    count = outbox.BATCH + 150
    await ingest.say(*map(volume, range(count)))
    await ingest.pool.execute("UPDATE outbox SET traceparent = '' WHERE position % 3 = 0")
    await ingest.pool.execute("UPDATE outbox SET traceparent = '' WHERE position % 7 = 0")
    ingest.relay()
    await until(ingest.all_published)
    assert await published(amqp_url) == [(n + 1, n) for n in range(count)]


async def test_a_number_that_was_given_goes_out_before_later_ones(
    side: Sides, amqp_url: str
) -> None:
    """What was numbered and not sent comes before what was begun earlier and committed later."""
    ingest = await side("ingest")
    connection = await bus.connect(amqp_url, "test")
    narrow = await Narrow.put_up(connection, VolumeChanged.type)
    async with database.acquire(ingest.pool) as conn:
        slow = conn.transaction()
        await slow.start()
        await outbox.add_all(conn, [volume(100), volume(101)])
        await ingest.say(*map(volume, range(5)))
        ingest.relay()
        sent = "SELECT count(published_at) = 3 AND count(sequence) = 5 FROM outbox"
        await until(lambda: ingest.value(sent), what="three confirms of five")
        await slow.commit()
    await until(lambda: ingest.value("SELECT count(*) = 7 FROM outbox"))
    await narrow.take_away()
    await until(ingest.all_published)
    await connection.close()
    confirmed = list(dict.fromkeys(reversed(await published(amqp_url))))[::-1]
    assert confirmed == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 100), (7, 101)]


async def published(amqp_url: str) -> list[tuple[int, int]]:
    """(the relay's number, the event's own) of all that lies in quota's queue, in its order."""
    found: list[tuple[int, int]] = []
    total = await waiting(amqp_url)
    async with asyncio.timeout(60), bus.subscription(amqp_url, "quota") as subscription:
        while len(found) < total:
            for one in await subscription.batch(500):
                number = int(str(one.headers["cloudEvents_sequence"]))
                found.append((number, json.loads(one.body)["sequence"]))
    return found
