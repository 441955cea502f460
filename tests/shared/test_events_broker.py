"""A broker that dies, and a consumer that only seems to live."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from devstack import rabbitmq
from devstack.ports import Ports
from devstack.processes import Processes
from libs.shared import bus
from libs.shared.events import ServicePinged, VolumeChanged
from libs.shared.runtime import pulse
from tests.servers import AMQP_PASSWORDS
from tests.shared.conftest import Sides, until, volume
from tests.shared.test_events_flow import Seen


async def test_a_killed_broker_is_found_again_and_nothing_is_lost(
    side: Sides, tmp_path: Path
) -> None:
    """Its own broker: confirmed messages survive `kill -9`, and consuming goes on by itself."""
    processes = Processes(tmp_path)
    ports = Ports(tmp_path)
    try:
        broker = await asyncio.to_thread(
            rabbitmq.start, processes, tmp_path / "rabbitmq", "password", ports
        )
        await asyncio.to_thread(broker.define, AMQP_PASSWORDS)
        ingest, quota = await side("ingest", broker.url()), await side("quota", broker.url())
        seen = Seen()
        ingest.relay()
        listening = quota.listen({VolumeChanged: seen.on_volume})
        await until(lambda: _true(listening.connected))
        await ingest.say(*map(volume, range(100)))
        await until(lambda: quota.handled(100))

        # RabbitMQ 3.10 may never elect a leader for a quorum queue killed as soon as declared.
        await asyncio.sleep(3)
        killed = processes.process("rabbitmq")
        assert killed is not None
        killed.kill()
        await asyncio.to_thread(killed.wait)
        await ingest.say(*map(volume, range(100, 200)))
        await until(lambda: _true(not listening.connected), 60)
        await asyncio.to_thread(processes.restart, "rabbitmq")
        await until(lambda: quota.handled(200), 60, "delivery after the restart")
        assert seen.sequences == Counter(range(200))
    finally:
        await asyncio.to_thread(processes.close, at_once=True)
        ports.close()


async def test_a_ping_without_an_answer_ends_the_process(
    side: Sides, servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected, and yet nothing arrives: here the ping's binding is gone."""
    monkeypatch.setattr(pulse, "PING_SECONDS", 0.4)
    quota = await side("quota")
    relay, consumer = quota.relay(), quota.listen({})
    beating = asyncio.create_task(pulse.Pulse("quota", quota.pool, relay, consumer).run())
    await until(
        lambda: quota.value("SELECT count(*) > 2 FROM inbox WHERE state = 'done'"),
        what="three answered pings",
    )
    assert not beating.done()

    vhost = quota.amqp_url.rpartition("/")[2]
    key = f"{ServicePinged.type}.quota"
    servers.broker.call(
        "DELETE", f"bindings/{vhost}/e/{bus.EXCHANGE}/q/{bus.queue_of('quota')}/{key}"
    )
    monkeypatch.setattr(pulse, "DEAD_SECONDS", 2.0)
    with pytest.raises(pulse.PulseLost, match="consumer"):
        await asyncio.wait_for(beating, 60)


async def test_a_broker_that_is_away_is_no_lost_pulse(
    side: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "PING_SECONDS", 0.05)
    monkeypatch.setattr(pulse, "DEAD_SECONDS", 0.1)
    quota = await side("quota", "amqp://nobody:nothing@127.0.0.1:1/")
    relay, consumer = quota.relay(), quota.listen({})
    beating = asyncio.create_task(pulse.Pulse("quota", quota.pool, relay, consumer).run())
    await asyncio.sleep(0.5)
    assert not beating.done()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def _true(value: bool) -> bool:
    return value
