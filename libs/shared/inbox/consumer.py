"""Events in, first half: store what arrives in batches, commit, acknowledge, nothing more."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from libs.shared import bus, clock, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import EVENTS
from libs.shared.inbox import table

BATCH = 500
_PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Consumer:
    """Keeps a subscription to a service's queue, and opens the next when it is lost."""

    def __init__(self, service: str, pool: Pool, amqp_url: str, wake: Callable[[], None]) -> None:
        self.service = service
        self.connected = False
        self.arrived_at = time.monotonic()
        self._pool = pool
        self._amqp_url = amqp_url
        self._wake = wake
        self._tries = 0

    async def run(self) -> None:
        """Consumes until cancelled; a lost broker or database means a pause and another try."""
        while True:
            try:
                # Nothing is fetched that can't be stored: a broker counts each return of a
                # message, and some bury it after twenty.
                await database.check(self._pool)
                await self._consume()
            except (Unavailable, bus.BusDown) as trouble:
                pause = _PAUSE_SECONDS[min(self._tries, len(_PAUSE_SECONDS) - 1)]
                self._tries += 1
                if self._tries in (1, 10) or self._tries % 60 == 0:
                    logs.get().warning("consumer.interrupted", why=str(trouble), tries=self._tries)
                await asyncio.sleep(pause)

    async def _consume(self) -> None:
        async with bus.subscription(self._amqp_url, self.service) as subscription:
            logs.get().info("consumer.connected", queue=bus.queue_of(self.service))
            self.connected = True
            self.arrived_at = time.monotonic()
            try:
                while True:
                    deliveries = await subscription.batch(BATCH)
                    await store(self._pool, deliveries)
                    crashpoint("inbox.before_ack")
                    await subscription.acknowledge(deliveries)
                    self.arrived_at = time.monotonic()
                    self._tries = 0
                    self._wake()
            finally:
                self.connected = False


async def store(pool: Pool, deliveries: Sequence[bus.Delivery]) -> None:
    """Stores deliveries in one transaction; those already there change nothing."""
    arrivals = [_arrival(delivery) for delivery in deliveries]
    async with database.transaction(pool) as conn:
        await table.insert(conn, arrivals, clock.now())
    for arrival in arrivals:
        if arrival.raw is not None:
            logs.get().error("event.unreadable", event_id=str(arrival.event_id), why=arrival.error)


def _arrival(delivery: bus.Delivery) -> table.Arrival:
    """What is kept of a delivery: an event, or the raw body and why it is none."""
    try:
        return _event(delivery)
    except (ValueError, KeyError, TypeError) as error:
        # Named after its bytes, so that a second delivery is the same row, and never after the
        # id that it claims, which may be a good event's.
        claimed = delivery.message_id.encode("utf-8", "replace")
        digest = hashlib.sha256(claimed + b"\0" + delivery.body).digest()
        return table.Arrival(
            event_id=UUID(bytes=digest[:16]),
            type=table.storable(delivery.type)[:200],
            raw=delivery.body,
            error=table.storable(_why(error))[:2000],
        )


def _event(delivery: bus.Delivery) -> table.Arrival:
    event_class = EVENTS.get(delivery.type)
    if event_class is None:
        raise ValueError(f"no event is called {delivery.type!r}")
    event = event_class.model_validate_json(delivery.body)
    headers = delivery.headers
    return table.Arrival(
        event_id=UUID(delivery.message_id),
        type=delivery.type,
        source=table.storable(str(headers.get("cloudEvents_source", "")))[:200],
        sequence=_sequence(headers.get("cloudEvents_sequence")),
        tenant_id=event.tenant_id,
        payload=delivery.body.decode(),
        traceparent=logs.readable_traceparent(str(headers.get("traceparent", ""))),
        occurred_at=_time(headers.get("cloudEvents_time")),
    )


def _sequence(header: object) -> int | None:
    if header is None:
        return None
    sequence = int(str(header))
    if not 0 < sequence < 2**63:
        raise ValueError("cloudEvents_sequence is no number that a producer gives")
    return sequence


def _time(header: object) -> datetime | None:
    if header is None:
        return None
    time = datetime.fromisoformat(str(header))
    if time.tzinfo is None or not 1970 < time.year < 9999:
        raise ValueError("cloudEvents_time is no instant")
    return time


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        places = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        return "; ".join(places)
    return f"{type(error).__name__}: {error}"
