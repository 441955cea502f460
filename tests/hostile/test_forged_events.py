"""Whoever holds the broker alone: nothing that it says is believed, nothing said twice counts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from libs.shared import bus, clock, database, inbox, keys, outbox
from libs.shared.database import SERVICES
from libs.shared.events import EVENTS, Event, PasswordIssued, ServicePinged
from libs.shared.inbox import consumer, parked
from libs.shared.signatures import (
    MOST_TOGETHER,
    SIGNATURE_HEADER,
    SenderRefused,
    Senders,
    Signer,
    incoming,
)
from services.reporting import consumers
from services.reporting.actions.resources import Resources
from tests.hostile.counting import Campaign
from tests.servers import AMQP_PASSWORDS
from tests.shared.conftest import Side, Sides, until, volume
from tests.shared.conftest import side as side  # noqa: PLC0414 - the fixture
from tests.shared.deliveries import delivery, signed, store
from tests.world.senders import SENDERS, SIGNERS

GOLDEN = Path(__file__).parents[1] / "shared" / "golden"
STRANGER = Signer("portal", bytes(range(32)))
"""Signs as the portal, with a key that nobody knows."""

Forgery = Callable[[bus.Delivery], bus.Delivery]


def example(name: str) -> Event:
    """The golden example of an event."""
    return EVENTS[name].model_validate_json((GOLDEN / f"{name}.json").read_bytes())


def with_headers(given: bus.Delivery, **headers: str) -> bus.Delivery:
    return replace(given, headers={**given.headers, **headers})


def by_another(given: bus.Delivery) -> bus.Delivery:
    """Signed by a service that may not say it, in its own name."""
    for service, signer in SIGNERS.items():
        if given.type not in bus.published_by(service):
            named = with_headers(given, cloudEvents_source=signer.source)
            return signed(named, signer)
    return replace(given, type="never.heard.of.v1")


def in_its_name(given: bus.Delivery) -> bus.Delivery:
    """Signed by another service, in the name of the one that may say it."""
    other = next(signer for signer in SIGNERS.values() if signer.source != source_of(given))
    return signed(given, other)


def source_of(given: bus.Delivery) -> str:
    return str(given.headers["cloudEvents_source"])


def signer_of(given: bus.Delivery) -> Signer:
    return SIGNERS[source_of(given).rpartition("/")[2]]


def grafted(signature: str, given: bus.Delivery) -> str:
    """A true signature with one more digest in its list."""
    raw = base64.b64decode(signature) + hashlib.sha256(incoming(given)).digest()
    return base64.b64encode(raw).decode()


FORGERIES: dict[str, Forgery] = {
    "unsigned": lambda d: replace(
        d, headers={k: v for k, v in d.headers.items() if k != SIGNATURE_HEADER}
    ),
    "empty signature": lambda d: with_headers(d, **{SIGNATURE_HEADER: ""}),
    "no base64": lambda d: with_headers(d, **{SIGNATURE_HEADER: "§" * 88}),
    "of another event": lambda d: with_headers(
        d, **{SIGNATURE_HEADER: signer_of(d).sign([b"another"])}
    ),
    "listed under another's signature": lambda d: with_headers(
        d, **{SIGNATURE_HEADER: grafted(signer_of(d).sign([b"another"]), d)}
    ),
    "zeros": lambda d: with_headers(d, **{SIGNATURE_HEADER: "A" * 86 + "=="}),
    "a stranger's key": lambda d: signed(d, STRANGER),
    "another's key": in_its_name,
    "another's key and name": by_another,
    "no source": lambda d: with_headers(d, cloudEvents_source=""),
    "foreign source": lambda d: with_headers(d, cloudEvents_source="/services/nobody"),
    "bare source": lambda d: with_headers(d, cloudEvents_source=source_of(d).rpartition("/")[2]),
    "another id": lambda d: replace(d, message_id=str(uuid4())),
    "another spelling of the id": lambda d: replace(d, message_id=d.message_id.upper() + " "),
    "a later time": lambda d: with_headers(
        d, cloudEvents_time=(clock.now() + timedelta(days=9)).isoformat()
    ),
    "another tenant beside": lambda d: with_headers(d, cloudEvents_subject=str(uuid4())),
    "a later number": lambda d: with_headers(d, cloudEvents_sequence="9999"),
    "a member more": lambda d: replace(d, body=d.body[:-1] + b',"more":1}'),
    "a space more": lambda d: replace(d, body=d.body + b" "),
    "the tenant altered": lambda d: replace(
        d, body=json.dumps({**json.loads(d.body), "tenant_id": str(uuid4())}).encode()
    ),
    "moved between parts": lambda d: replace(
        d, message_id=d.message_id[:-1], type=d.message_id[-1] + d.type
    ),
    "moved between headers": lambda d: with_headers(
        d,
        cloudEvents_time=str(d.headers["cloudEvents_time"])[:-1],
        cloudEvents_subject=f"{d.headers['cloudEvents_time']}"[-1]
        + str(d.headers["cloudEvents_subject"]),
    ),
}


@asynccontextmanager
async def default_exchange(url: str) -> AsyncIterator[Any]:
    """Writes to any queue by its name."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        yield channel.default_exchange


async def put(exchange: Any, queue: str, given: bus.Delivery) -> None:
    message = aio_pika.Message(
        given.body, message_id=given.message_id, type=given.type, headers=dict(given.headers)
    )
    await exchange.publish(message, queue)


class Ears:
    """All five services listen, and note whatever reaches a handler."""

    def __init__(self, sides: list[Side]) -> None:
        self.sides = sides
        self.heard: list[tuple[str, str]] = []

    def listen(self) -> None:
        for one in self.sides:
            one.listen({kind: self._handler(one.service) for kind in bus.BINDINGS[one.service]})

    def _handler(self, service: str) -> inbox.Handler:
        async def note(_conn: database.Connection, event: Event) -> None:
            self.heard.append((service, event.type))

        return note

    async def arrived(self, state: str) -> int:
        sql = "SELECT count(*) FROM inbox WHERE state = $1"
        return sum([await one.value(sql, state) for one in self.sides])


@pytest.fixture
async def ears(side: Sides) -> Ears:
    ears = Ears([await side(service) for service in SERVICES])
    ears.listen()
    return ears


def forged() -> Iterator[bus.Delivery]:
    """Every event, made up or altered in every way."""
    for name in EVENTS:
        good = delivery(example(name))
        for forge in FORGERIES.values():
            yield forge(good)


def test_no_forgery_of_any_event_is_believed() -> None:
    believed = []
    for name in EVENTS:
        good = delivery(example(name))
        SENDERS.check(good)
        for how, forge in FORGERIES.items():
            with suppress(SenderRefused):
                SENDERS.check(forge(good))
                believed.append((name, how))
    assert believed == []


async def test_whatever_the_broker_makes_up_is_parked_and_told(
    ears: Ears, amqp_url: str, campaign: Campaign
) -> None:
    made_up = list(forged())
    async with default_exchange(amqp_url) as exchange:
        for service in SERVICES:
            await asyncio.gather(
                *(put(exchange, bus.queue_of(service), given) for given in made_up)
            )
    count = len(made_up) * len(SERVICES)
    campaign.tried("events made up or altered, to each queue", count)

    async def all_parked() -> bool:
        return await ears.arrived("parked") == count

    await until(all_parked, 60)
    assert ears.heard == []
    assert await ears.arrived("pending") + await ears.arrived("done") == 0
    for one in ears.sides:
        rows = await one.pool.fetch("SELECT raw, error FROM inbox")
        assert all(row["raw"] and row["error"].startswith("refused: ") for row in rows)


async def test_a_flood_of_forgeries_fills_no_disk_and_hides_no_event(
    side: Sides, campaign: Campaign
) -> None:
    quota = await side("quota")
    await quota.pool.execute(
        """
        INSERT INTO inbox (event_id, source, type, raw, received_at, state, next_at, error)
        SELECT gen_random_uuid(), '', 'x', 'x', $1, 'parked', $1, 'refused: before'
        FROM generate_series(1, $2)
        """,
        clock.now(),
        consumer.MOST_REFUSED - 3,
    )
    good = delivery(volume(1))
    await store(quota, *(replace(good, body=b"%d" % number) for number in range(200)), good)
    campaign.tried("events made up, beyond the room for them", 200)
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'parked'") == (
        consumer.MOST_REFUSED
    )
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'pending'") == 1


async def test_what_was_said_once_counts_once_wherever_it_is_put(
    ears: Ears, amqp_url: str, campaign: Campaign
) -> None:
    """True events, each to each queue, twice."""
    true = [delivery(example(name)) for name, event in EVENTS.items() if not event.addressee]
    async with default_exchange(amqp_url) as exchange:
        for _ in range(2):
            for service in SERVICES:
                await asyncio.gather(
                    *(put(exchange, bus.queue_of(service), given) for given in true)
                )
    campaign.tried("true events repeated, to each queue", 2 * len(true) * len(SERVICES))
    expected = sorted(
        (service, event.type) for service, bound in bus.BINDINGS.items() for event in bound
    )

    async def all_settled() -> bool:
        settled = await ears.arrived("done") + await ears.arrived("parked")
        return settled == len(true) * len(SERVICES)

    await until(all_settled, 60)
    assert sorted(ears.heard) == expected


async def test_an_event_older_than_the_inbox_remembers_waits_for_a_person(side: Sides) -> None:
    """Else what was handled and forgotten could be said again."""
    quota = await side("quota")
    old = delivery(volume(1), headers={"cloudEvents_time": (clock.now() - _days(36)).isoformat()})
    none = delivery(volume(2), headers={"cloudEvents_time": (clock.now() - _days(34)).isoformat()})
    await store(quota, old, none)
    rows = await quota.pool.fetch("SELECT state, raw FROM inbox ORDER BY state")
    assert [(row["state"], row["raw"]) for row in rows] == [("parked", None), ("pending", None)]


async def test_a_password_opens_for_nobody_else_even_with_the_portals_signature(
    side: Sides, campaign: Campaign
) -> None:
    """The seal binds all that stands beside it: whom it is for, of which client, until when."""
    reporting = await side("reporting")
    office = Resources("a@b.example", ("h@b.example",), "http://portal", mail_key=bytes(32))
    handle = consumers.handlers(office)[PasswordIssued]
    event = example(PasswordIssued.type)
    assert isinstance(event, PasswordIssued)
    sealed = keys.seal_text(office.mail_key, "one-time", event.beside)
    issued = event.model_copy(update={"sealed_password": sealed})
    diversions: dict[str, Any] = {
        "tenant_id": uuid4(),
        "password_id": uuid4(),
        "user_id": uuid4(),
        "email": "attacker@example.net",
        "name": "Mallory",
        "locale": "en" if event.locale == "fr" else "fr",
        "expires_at": clock.now() + timedelta(days=900),
        "first": not event.first,
    }
    for member, value in diversions.items():
        diverted = issued.model_copy(update={member: value})
        with pytest.raises(keys.KeysUnreadable):
            async with database.transaction(reporting.pool) as conn:
                await handle(conn, diverted)
    campaign.tried("one-time passwords diverted", len(diversions))
    assert await reporting.value("SELECT count(*) FROM mails") == 0
    async with database.transaction(reporting.pool) as conn:
        await handle(conn, issued)
    assert await reporting.value("SELECT recipient FROM mails") == event.email


@pytest.mark.parametrize("service", SERVICES)
async def test_a_services_account_says_its_own_events_and_reads_its_own_queue(
    service: str, servers: Any, amqp_url: str, campaign: Campaign
) -> None:
    vhost = amqp_url.rpartition("/")[2]
    url = servers.broker.url(vhost, bus.account_of(service), AMQP_PASSWORDS[service])
    own = set(bus.published_under(service))
    foreign = {bus.routing_key(example(name)) for name in EVENTS} - own
    foreign.add(f"{ServicePinged.type}.{next(other for other in SERVICES if other != service)}")

    async def publish(channel: Any, exchange: str, key: str) -> None:
        target = await channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(b"{}"), key)

    async def consume(channel: Any, queue: str) -> None:
        found = await channel.get_queue(queue, ensure=False)
        await found.consume(_take)

    others = [bus.queue_of(other) for other in SERVICES if other != service]
    attempts: list[Callable[[Any], Any]] = [
        *(lambda c, key=key: publish(c, bus.EXCHANGE, key) for key in sorted(foreign)),
        *(lambda c, queue=queue: publish(c, "", queue) for queue in [*others, bus.UNROUTED]),
        *(lambda c, queue=queue: consume(c, queue) for queue in [*others, bus.UNROUTED]),
        lambda c: publish(c, bus.UNROUTED, ""),
        lambda c: c.queue_delete(bus.queue_of(service)),
        lambda c: c.exchange_delete(bus.EXCHANGE),
        lambda c: c.declare_queue("mine", durable=True),
        lambda c: c.declare_exchange("mine"),
        lambda c: _bind(c, bus.queue_of(service), "#"),
        *(lambda c, queue=queue: _purge(c, queue) for queue in others),
    ]
    connection = await aio_pika.connect(url)
    async with connection:
        for attempt in attempts:
            channel = await connection.channel()
            said: list[str] = []
            channel.close_callbacks.add(lambda _, why, said=said: said.append(str(why)))
            with pytest.raises((AMQPError, RuntimeError, asyncio.CancelledError)):
                async with asyncio.timeout(60):
                    await attempt(channel)
            while not said:
                await asyncio.sleep(0.01)
            assert "ACCESS_REFUSED" in said[0]
        channel = await connection.channel()
        for key in own:
            await publish(channel, bus.EXCHANGE, key)
        await consume(channel, bus.queue_of(service))
    campaign.tried("steps of a service's broker account beyond its rights", len(attempts))


async def _take(_message: Any) -> None:
    """Reads and forgets."""


async def _bind(channel: Any, queue: str, key: str) -> None:
    found = await channel.get_queue(queue, ensure=False)
    await found.bind(bus.EXCHANGE, key)


async def _purge(channel: Any, queue: str) -> None:
    found = await channel.get_queue(queue, ensure=False)
    await found.purge()


async def test_a_key_is_changed_while_events_are_under_way(side: Sides) -> None:
    """Both keys are believed for a while; then the old one is a stranger's."""
    quota = await side("quota")
    old, new = SIGNERS["ingest"], Signer("ingest", b"n" * 32)
    both = Senders({"ingest": [old.public_key, new.public_key]})
    only_new = Senders({"ingest": [new.public_key]})
    by_old = [signed(delivery(volume(number)), old) for number in range(2)]
    by_new = [signed(delivery(volume(number)), new) for number in range(2, 4)]
    await consumer.store(quota.pool, both, [by_old[0], by_new[0]])
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'pending'") == 2
    await consumer.store(quota.pool, only_new, [by_old[1], by_new[1]])
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'pending'") == 3

    # Whoever took the old key away too early brings it back, and replays what was refused.
    async with database.transaction(quota.pool) as conn:
        [row] = await parked.list_parked(conn)
        assert "refused: its signature" in parked.line(row)
        assert await parked.replay(conn, "quota", only_new, [row["event_id"]], clock.now()) == []
        ids = [row["event_id"]]
        assert await parked.replay(conn, "quota", both, ids, clock.now()) == ids
    rows = await quota.pool.fetch("SELECT event_id::text, payload FROM inbox ORDER BY position")
    assert {row["event_id"] for row in rows} == {d.message_id for d in (*by_old, *by_new)}


async def test_what_is_said_again_is_signed_with_the_key_of_that_day(side: Sides) -> None:
    """As after a theft: the old key is nobody's, and what it signed comes again under the new."""
    ingest, quota = await side("ingest"), await side("quota")
    new = Signer("ingest", b"n" * 32)
    ingest.relay()
    ids = await ingest.say(*map(volume, range(40)))
    await until(ingest.all_published)
    await ingest.end()
    await ingest.pool.execute("UPDATE outbox SET published_at = NULL")
    ingest.start(outbox.Relay("ingest", ingest.dsn, ingest.amqp_url, new).run())
    await until(ingest.all_published)
    only_new = Senders({"ingest": [new.public_key]})
    quota.start(inbox.Consumer("quota", quota.pool, quota.amqp_url, lambda: None, only_new).run())

    async def all_there() -> bool:
        return bool(await quota.value("SELECT count(*) = 80 FROM inbox"))

    await until(all_there)
    rows = await quota.pool.fetch("SELECT event_id FROM inbox WHERE state = 'pending'")
    assert {row["event_id"] for row in rows} == set(ids)
    assert await quota.value("SELECT count(*) FROM inbox WHERE raw IS NOT NULL") == 40


def test_one_signature_is_good_for_each_of_its_events_and_for_no_other() -> None:
    signer = SIGNERS["ingest"]
    together = [delivery(volume(number)) for number in range(MOST_TOGETHER)]
    signature = signer.sign([incoming(one) for one in together])
    senders = Senders({"ingest": [signer.public_key], "retention": [bytes(32)]})
    for one in together:
        senders.check(with_headers(one, **{SIGNATURE_HEADER: signature}))
    for forge in (lambda d: d, *FORGERIES.values()):
        other = forge(delivery(volume(99)))
        if source_of(other) == signer.source:
            with pytest.raises(SenderRefused):
                senders.check(with_headers(other, **{SIGNATURE_HEADER: signature}))
    renamed = with_headers(together[0], cloudEvents_source="/services/retention")
    with pytest.raises(SenderRefused):
        senders.check(with_headers(renamed, **{SIGNATURE_HEADER: signature}))
    with pytest.raises(ValueError, match="17 messages"):
        signer.sign([b""] * 17)


def _days(days: int) -> timedelta:
    return timedelta(days=days)
