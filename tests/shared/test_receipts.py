"""A broker that was wiped, a queue that was purged: what is lost there is found and comes again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import bus, clock, database, receipts
from libs.shared.events import EventsCompared, EventsListed, PasswordIssued, VolumeChanged
from tests.shared.conftest import TENANT, Side, Sides, allowance, until, volume
from tests.shared.deliveries import delivery, signed, store
from tests.shared.test_events_flow import Seen
from tests.shared.test_events_unconfirmed import password, waiting
from tests.world.senders import SIGNERS


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just published is old enough to be listed."""
    monkeypatch.setattr(receipts, "SETTLED", -receipts.SETTLED)


def transport(side: Side) -> dict[Any, Any]:
    """The handlers that each service has by its runtime."""
    return {
        EventsListed: partial(receipts.compare, side.service),
        EventsCompared: partial(receipts.follow, side.service),
    }


async def purge(amqp_url: str, service: str) -> int:
    """Empties a queue as an administrator of the broker would; returns how much was in it."""
    connection = await bus.connect(amqp_url, "test")
    try:
        channel = await connection.channel()
        queue = await channel.declare_queue(bus.queue_of(service), passive=True)
        purged = await queue.purge()
        return purged.message_count or 0
    finally:
        await connection.close()


async def lies_in(amqp_url: str, service: str, count: int) -> bool:
    """Whether so many messages are in a queue."""
    return await waiting(amqp_url, bus.queue_of(service)) >= count


async def has_up_to(side: Side, reader: str, number: int) -> bool:
    """Whether a side knows that a reader has all up to a number."""
    found = await side.value("SELECT up_to FROM outbox_readers WHERE reader = $1", reader)
    return (found or 0) >= number


async def list_for(side: Side, reader: str) -> EventsListed | None:
    """What a side lists for a reader when it is time to, if anything."""
    before = await side.value("SELECT coalesce(max(position), 0) FROM outbox")
    await receipts.list_said(side.pool, side.service)
    async with database.acquire(side.pool) as conn:
        rows = await conn.fetch(
            "SELECT payload FROM outbox WHERE position > $1 AND type = 'events.listed.v1'", before
        )
    lists = [EventsListed.model_validate_json(row["payload"]) for row in rows]
    return next((one for one in lists if one.reader == reader), None)


async def _ids(side: Side) -> list[Any]:
    rows = await side.pool.fetch(
        "SELECT event_id FROM outbox WHERE type = 'volume.changed.v1' ORDER BY position"
    )
    return [row["event_id"] for row in rows]


async def pass_minute(side: Side) -> None:
    """As if what was listed had been so a minute earlier: in less nobody is asked twice."""
    await side.pool.execute("UPDATE outbox_readers SET listed_at = listed_at - interval '1 minute'")


async def answer(side: Side, event: EventsCompared) -> None:
    """A reader's answer, as the worker of a side handles it."""
    async with database.transaction(side.pool) as conn:
        await receipts.follow(side.service, conn, event)


async def publish_all(side: Side) -> None:
    """Numbers and dates what a side said, as if its relay had published it."""
    async with database.transaction(side.pool) as conn:
        await conn.execute("UPDATE outbox SET sequence = position, published_at = $1", clock.now())
        await conn.execute(
            "UPDATE outbox_counter SET last_sequence = (SELECT count(*) FROM outbox)"
        )


async def test_what_a_purged_queue_held_comes_again_and_acts_once(
    side: Sides, amqp_url: str
) -> None:
    ingest, quota = await side("ingest"), await side("quota")
    ingest.relay()
    quota.relay()
    seen = Seen()
    reading = quota.listen({VolumeChanged: seen.on_volume, **transport(quota)})
    ingest.listen(transport(ingest))
    await ingest.say(*map(volume, range(10)))
    await until(lambda: quota.handled(10))
    await quota.end()
    assert not reading.connected

    await ingest.say(*map(volume, range(10, 30)))
    await until(ingest.all_published)

    await until(lambda: lies_in(amqp_url, "quota", 20))
    assert await purge(amqp_url, "quota") == 20
    quota.relay()
    quota.listen({VolumeChanged: seen.on_volume, **transport(quota)})
    await ingest.say(volume(30))  # what comes later doesn't hide it
    await receipts.list_said(ingest.pool, "ingest")

    async def all_came() -> bool:
        return len(seen.sequences) == 31

    await until(all_came)
    assert seen.sequences == Counter(range(31))
    numbers = "SELECT array_agg(sequence ORDER BY sequence) FROM {} WHERE type LIKE 'volume.%'"
    said = await ingest.value(numbers.format("outbox"))
    assert await quota.value(numbers.format("inbox")) == said, "under the numbers that they had"

    await receipts.list_said(ingest.pool, "ingest")
    await until(lambda: has_up_to(ingest, "quota", max(said)))
    assert await list_for(ingest, "quota") is None, "nothing is asked of who has all"


async def test_a_secret_waits_in_the_outbox_until_its_reader_has_it(
    side: Sides, amqp_url: str
) -> None:
    portal, reporting = await side("portal"), await side("reporting")
    portal.relay()
    portal.listen(transport(portal))
    await portal.say(password(1))
    await until(portal.all_published)
    secret = "SELECT payload LIKE '%\"sealed\"%' FROM outbox WHERE type = 'password.issued.v1'"
    assert await portal.value(secret)
    await until(lambda: lies_in(amqp_url, "reporting", 1))
    assert await purge(amqp_url, "reporting") == 1

    another = EventsCompared(
        tenant_id=TENANT, service="portal", reader="ingest", lacking=(), up_to=1
    )
    await answer(portal, another)
    assert await portal.value(secret), "it isn't for that one"
    read: list[str] = []

    async def on_password(_conn: Any, event: PasswordIssued) -> None:
        read.append(event.sealed_password)

    reporting.relay()
    reporting.listen({PasswordIssued: on_password, **transport(reporting)})
    await receipts.list_said(portal.pool, "portal")

    async def was_read() -> bool:
        return bool(read)

    await until(was_read)
    assert read == ["sealed"], "lost, and whole all the same"
    await receipts.list_said(portal.pool, "portal")
    await until(lambda: has_up_to(portal, "reporting", 1))
    assert not await portal.value(secret)


async def test_a_reader_gets_again_what_is_said_to_it_and_nothing_else(side: Sides) -> None:
    """A service in other hands asks for what it never hears, and speaks in another's name."""
    portal, ingest = await side("portal"), await side("ingest")
    [secret] = await portal.say(password(1))
    await publish_all(portal)
    asked = EventsCompared(
        tenant_id=TENANT, service="portal", reader="ingest", lacking=(secret, uuid4()), up_to=9
    )
    await answer(portal, asked)
    await answer(portal, asked.model_copy(update={"service": "quota"}))  # not the one that is asked
    unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    assert await portal.value(unpublished) == 0
    assert not await has_up_to(portal, "ingest", 1)
    await answer(portal, asked.model_copy(update={"reader": "reporting"}))
    assert await portal.value(unpublished) == 1

    in_name_of_quota = signed(
        delivery(asked, headers={"cloudEvents_source": SIGNERS["quota"].source}), SIGNERS["quota"]
    )
    await store(ingest, in_name_of_quota, delivery(asked))
    states = "SELECT array_agg(state || ' ' || left(error, 8) ORDER BY position) FROM inbox"
    assert await ingest.value(states) == ["parked refused:", "pending "]


async def test_what_could_not_be_read_is_not_asked_for_again(side: Sides) -> None:
    """It waits for a person; asked for each minute it would be kept each minute."""
    quota = await side("quota")
    broken, lost = uuid4(), uuid4()
    await store(quota, delivery(volume(1), message_id=str(broken), body=b"{"))
    listed = EventsListed(
        tenant_id=TENANT, service="ingest", reader="quota", event_ids=(broken, lost), up_to=2
    )
    async with database.transaction(quota.pool) as conn:
        await receipts.compare("quota", conn, listed)
        await receipts.compare("portal", conn, listed)  # as if it had come to another's queue
    answers = "SELECT array_agg(payload) FROM outbox"
    [said] = await quota.value(answers)
    assert EventsCompared.model_validate_json(said).lacking == (lost,)


async def test_a_list_is_bounded_and_stops_below_what_is_not_out(
    side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MOST_LISTED", 3)
    ingest = await side("ingest")
    ids = await ingest.say(*map(volume, range(8)))
    await publish_all(ingest)
    await ingest.pool.execute("UPDATE outbox SET published_at = NULL WHERE sequence = 7")
    first = await list_for(ingest, "quota")
    assert first is not None
    assert (list(first.event_ids), first.up_to) == (ids[:3], 3)
    has = EventsCompared(tenant_id=TENANT, service="ingest", reader="quota", lacking=(), up_to=3)
    await answer(ingest, has)
    await answer(ingest, has.model_copy(update={"up_to": 1}))  # the answer to an earlier one, late
    await pass_minute(ingest)
    second = await list_for(ingest, "quota")
    assert second is not None
    assert (list(second.event_ids), second.up_to) == (ids[3:6], 6)
    await answer(ingest, has.model_copy(update={"up_to": 6}))
    await pass_minute(ingest)
    assert await list_for(ingest, "quota") is None, "the seventh is on its way"
    await pass_minute(ingest)
    lagging = await list_for(ingest, "portal")
    assert lagging is not None, "what one reader has, another may lack"
    assert lagging.up_to == 3


async def test_after_an_upgrade_readers_of_the_version_before_are_left_alone(side: Sides) -> None:
    quota = await side("quota")
    await quota.say(allowance(1))
    await publish_all(quota)
    counter = "UPDATE outbox_counter SET lists_from = $1, lists_after = $2"
    await quota.pool.execute(counter, clock.now() + timedelta(minutes=15), 1)
    assert await list_for(quota, "ingest") is None
    await quota.pool.execute(counter, clock.now(), 1)
    assert await list_for(quota, "ingest") is None, "what was said before is not gone through"
    [later] = await quota.say(allowance(2))
    await publish_all(quota)
    listed = await list_for(quota, "ingest")
    assert listed is not None
    assert listed.event_ids == (later,)


async def test_who_does_not_answer_is_asked_more_and_more_seldom(
    side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list waits in the queue of a reader that is away, as its events do."""
    ingest = await side("ingest")
    await ingest.say(volume(1))
    await publish_all(ingest)
    begun = clock.now()
    asked = []
    with monkeypatch.context() as patched:
        for minute in range(600):
            patched.setattr(clock, "now", lambda m=minute: begun + timedelta(minutes=m))
            if await list_for(ingest, "quota") is not None:
                asked.append(minute)
    assert asked[:10] == list(range(10))
    assert 30 < len(asked) < 60
    oldest = "SELECT unanswered_since FROM outbox_readers WHERE reader = 'quota'"
    since = await ingest.value(oldest)
    await answer(
        ingest,
        EventsCompared(
            tenant_id=TENANT,
            service="ingest",
            reader="quota",
            lacking=tuple(await _ids(ingest)),
            up_to=1,
        ),
    )
    await publish_all(ingest)
    await ingest.pool.execute("UPDATE outbox_readers SET listed_at = NULL")
    assert await list_for(ingest, "quota") is not None
    assert await ingest.value(oldest) == since, "what is published again is as old as it was"


async def test_a_clock_that_was_ahead_hides_nothing(side: Sides) -> None:
    ingest = await side("ingest")
    ids = await ingest.say(volume(1), volume(2))
    await publish_all(ingest)
    await ingest.pool.execute("UPDATE outbox SET published_at = $1", clock.now() + timedelta(900))
    listed = await list_for(ingest, "quota")
    assert listed is not None
    assert list(listed.event_ids) == ids
