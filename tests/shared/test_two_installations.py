"""Two installations that were told of one database, or of one virtual host of the broker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from libs.shared import bus, clock, outbox
from libs.shared.events import ServicePinged
from libs.shared.runtime.pulse import NOBODY
from libs.shared.signatures import Signer, outgoing
from tests.shared.conftest import Sides, until
from tests.world.senders import SIGNERS

STRANGER = Signer("quota", bytes(32))


async def test_the_database_of_another_is_left_alone_until_that_has_gone(
    start: Any,
    side: Sides,
) -> None:
    quota = await side("quota")
    theirs = outbox.Relay("quota", quota.dsn, quota.amqp_url, STRANGER)
    working = quota.start(theirs.run())
    await until(lambda: outbox.find_relays(quota.pool, "quota"))
    service = await start()
    await until(lambda: service.says("Another installation's quota works on this database"), 90)
    assert not await service.is_ready()
    working.cancel()
    await until(service.is_ready, 90)
    assert await outbox.find_relays(quota.pool, "quota") == {SIGNERS["quota"].mark}


async def test_a_broker_of_two_is_told_and_keeps_what_the_other_said(
    start: Any,
    side: Sides,
) -> None:
    quota = await side("quota")
    service = await start()
    await until(service.is_ready, 90)
    ping = ServicePinged(tenant_id=NOBODY, service="quota", ping_id=uuid4(), sent_at=clock.now())
    message = bus.Message(
        event_id=uuid4(),
        type=ping.type,
        routing_key=bus.routing_key(ping),
        body=ping.model_dump_json().encode(),
        source=STRANGER.source,
        subject=NOBODY,
        time=clock.now(),
        sequence=1,
    )
    signed = replace(message, signature=STRANGER.sign([outgoing(message)]))
    refused = "SELECT raw FROM inbox WHERE state = 'parked'"
    async with bus.publisher(quota.amqp_url, "quota") as publisher:
        unsigned = replace(message, event_id=uuid4(), body=b"no ping at all")
        assert await publisher.publish([unsigned]) == [None]
        await until(lambda: quota.pool.fetch(refused))
        assert await service.is_ready(), "what nobody signed is no other installation"
        await quota.pool.execute("DELETE FROM inbox WHERE state = 'parked'")
        assert await publisher.publish([signed]) == [None]
    await until(service.is_unready, 90)
    told = (await service.look("/health/ready")).json()["checks"]
    assert told["broker"].startswith("Another installation works on this virtual host")
    assert told["database"] == "ok"
    [kept] = await quota.pool.fetch(refused)
    assert kept["raw"] == message.body
