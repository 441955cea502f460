"""Events through outbox → RabbitMQ → inbox, against raw confirmed publishes in the same run.

`python -m bench.events` starts its own servers, or uses those of COFFRE_TEST_SERVERS.
Prints one JSON line: events a second on each way, and their ratio (section 10: at least 0.5).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import time
import uuid
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import aio_pika
import uvloop

from devstack import lease
from devstack.rabbitmq import RabbitMQ
from libs.shared import bus, database, inbox, outbox
from libs.shared.events import VolumeChanged
from libs.shared.signatures import Senders, Signer

IN_FLIGHT = 100
SEED = bytes(32)
"""The key of the sender, for the few seconds of a measurement."""


def _event(number: int) -> VolumeChanged:
    return VolumeChanged(
        tenant_id=uuid.UUID(int=1), stored_bytes=number, protected_bytes=number, sequence=number
    )


async def measure_raw(amqp_url: str, count: int) -> float:
    """Confirmed publishes a second with aio-pika as its documentation shows, 100 in flight."""
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.declare_exchange("bench.raw", "topic", durable=True)
        queue = await channel.declare_queue(
            "bench.raw", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange, "volume.changed.v1")
        await asyncio.sleep(2)  # the queue elects its leader
        bodies = iter([_event(number).model_dump_json().encode() for number in range(count)])

        async def publish() -> None:
            for body in bodies:
                message = aio_pika.Message(
                    body,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    message_id=uuid.uuid4().hex,
                    type="volume.changed.v1",
                    content_type="application/json",
                )
                await exchange.publish(message, "volume.changed.v1")

        begun = time.perf_counter()
        await asyncio.gather(*(publish() for _ in range(IN_FLIGHT)))
        rate = count / (time.perf_counter() - begun)
        await queue.delete(if_empty=False, if_unused=False)
    return rate


async def _relay(dsn: str, amqp_url: str) -> None:
    await outbox.Relay("ingest", dsn, amqp_url, Signer("ingest", SEED)).run()


async def _consume(dsn: str, amqp_url: str) -> None:
    pool = await database.create_pool(dsn, "quota")
    senders = Senders({"ingest": [Signer("ingest", SEED).public_key]})
    await inbox.Consumer("quota", pool, amqp_url, lambda: None, senders).run()


def _process(work: Any, dsn: str, amqp_url: str) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(work, dsn, amqp_url), daemon=True
    )
    process.start()
    return process


def _run(work: Any, dsn: str, amqp_url: str) -> None:
    with suppress(KeyboardInterrupt):
        uvloop.run(work(dsn, amqp_url))


async def measure_events(ingest_dsn: str, quota_dsn: str, amqp_url: str, count: int) -> float:
    """Events a second from rows waiting in ingest's outbox to rows in quota's inbox."""
    producer = await database.create_pool(ingest_dsn, "ingest")
    reader = await database.create_pool(quota_dsn, "quota")
    processes = [_process(_consume, quota_dsn, amqp_url), _process(_relay, ingest_dsn, amqp_url)]
    try:
        await _add(producer, 0, 1)
        await _wait(reader, 1)
        await asyncio.sleep(2)
        async with database.transaction(producer) as conn:
            for first in range(1, count + 1, 1000):
                await outbox.add_all(
                    conn, [_event(number) for number in range(first, first + 1000)]
                )
        begun = time.perf_counter()
        await _wait(reader, count + 1)
        return count / (time.perf_counter() - begun)
    finally:
        for process in processes:
            process.terminate()
            process.join()
        await producer.close()
        await reader.close()


async def _add(pool: database.Pool, first: int, count: int) -> None:
    async with database.transaction(pool) as conn:
        await outbox.add_all(conn, [_event(number) for number in range(first, first + count)])


async def _wait(pool: database.Pool, count: int) -> None:
    while await pool.fetchval("SELECT count(*) FROM inbox") < count:
        await asyncio.sleep(0.05)


async def measure(servers: dict[str, Any], count: int) -> dict[str, float]:
    """Both ways, twice each in turn, on a database and a virtual host of their own."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    broker = RabbitMQ(servers["amqp_port"], servers["amqp_password"], servers["amqp_management"])
    await database.bootstrap(
        servers["postgres_admin_dsn"], name, {role: role for role in database.ROLES}
    )

    def dsn(service: str) -> str:
        port = servers["postgres_port"]
        return f"postgresql://coffre_{service}:coffre_{service}@127.0.0.1:{port}/{name}"

    for service in ("ingest", "quota"):
        await database.migrate(dsn("owner"), service)
    broker.create_vhost(name)
    broker.define({service: bus.account_of(service) for service in bus.BINDINGS}, name)
    try:
        raw = await measure_raw(broker.url(name), count)
        ours = await measure_events(dsn("ingest"), dsn("quota"), broker.url(name), count)
        raw = max(raw, await measure_raw(broker.url(name), count))
    finally:
        broker.delete_vhost(name)
    return {
        "raw_per_second": round(raw),
        "events_per_second": round(ours),
        "ratio": round(ours / raw, 2),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="events each way")
    count = parser.parse_args().count
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        print(json.dumps(uvloop.run(measure(json.loads(Path(existing).read_text()), count))))
        return
    folder = Path("/tmp") / f"coffre-bench-{os.getpid()}"
    described, held = lease.take(folder)
    with held:
        print(json.dumps(uvloop.run(measure(described, count))))


if __name__ == "__main__":
    main()
