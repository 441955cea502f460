"""Events in, first half: store what arrives in batches, commit, acknowledge, nothing more."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args
from uuid import UUID

from prometheus_client import Counter
from pydantic import ValidationError

from libs.shared import bus, clock, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import EVENTS, ServicePinged
from libs.shared.heartbeats import SHORT_SILENCE, Heartbeat
from libs.shared.inbox import table
from libs.shared.signatures import Refusal, SenderRefused, Senders

BATCH = 500
MOST_REFUSED = 10_000
MOST_REFUSED_BYTES = 256 * 1024 * 1024
FOREIGN_SECONDS = 300.0
"""How long a ping of another installation is remembered; they come each twenty seconds."""

_ARRIVED = Counter("coffre_events_arrived", "Messages that came, the first time or once more")
_DUPLICATES = Counter("coffre_events_duplicate", "Messages that were in the inbox already")
_REFUSED = Counter("coffre_events_refused", "Messages that no sender has signed", ["reason"])
for _reason in get_args(Refusal):
    _REFUSED.labels(_reason)


class BrokerShared(Unavailable):
    """Pings come through the queue that a service of this name has sent, with another key."""

    code = "broker-shared"

    def __init__(self) -> None:
        super().__init__("message broker")

    @property
    def detail(self) -> str:
        return (
            "Another installation works on this virtual host of the broker, and each takes some of"
            " the other's events: give each its own (COFFRE_AMQP_URL), then replay what was"
            " refused. If it is ours, its key was changed without telling us"
            " (COFFRE_EVENT_SENDERS_DIR)."
        )


class Consumer:
    """Keeps a subscription to a service's queue, and opens the next when it is lost."""

    def __init__(
        self,
        service: str,
        pool: Pool,
        amqp_url: str,
        wake: Callable[[], None],
        senders: Senders,
    ) -> None:
        self.service = service
        self._senders = senders
        self.connected = False
        self.heartbeat = Heartbeat("consumer", SHORT_SILENCE)
        self.arrived_at = time.monotonic()
        self._pool = pool
        self._amqp_url = amqp_url
        self._wake = wake
        self._retries = bus.Retries("consumer.interrupted")
        self._foreign_at: float | None = None

    def check_alone(self) -> None:
        """Raises BrokerShared where another installation was heard of lately."""
        if self._foreign_at is not None:
            if time.monotonic() - self._foreign_at < FOREIGN_SECONDS:
                raise BrokerShared
            self._foreign_at = None

    async def run(self) -> None:
        """Consumes until cancelled; a lost broker or database means a pause and another try."""
        while True:
            try:
                # Nothing is fetched that can't be stored: a broker counts each return of a
                # message, and some bury it after twenty.
                await database.check(self._pool)
                await self._consume()
            except (Unavailable, bus.BusDown) as trouble:
                await self._retries.wait(trouble)

    async def _consume(self) -> None:
        async with bus.subscription(self._amqp_url, self.service) as subscription:
            logs.get().info("consumer.connected", queue=bus.queue_of(self.service))
            self.connected = True
            self.arrived_at = time.monotonic()
            try:
                while True:
                    deliveries = await subscription.batch(BATCH)  # for ever; the pulse looks at it
                    with self.heartbeat.working():
                        if await store(self._pool, self._senders, deliveries, self.service):
                            self._foreign_at = time.monotonic()
                        crashpoint("inbox.before_ack")
                        await subscription.acknowledge(deliveries)
                    self.arrived_at = time.monotonic()
                    self._retries.reset()
                    self._wake()
            finally:
                self.connected = False


async def store(
    pool: Pool, senders: Senders, deliveries: Sequence[bus.Delivery], service: str = ""
) -> bool:
    """Stores deliveries in one transaction; those already there change nothing.

    Returns whether a ping of this service is among them that another has signed.

    What isn't signed by a sender who may say it is parked as it came, and told; there is room for
    MOST_REFUSED of them: whoever floods the queue fills no disk, and what was kept stays.
    """
    now = clock.now()
    arrivals = await asyncio.to_thread(arrivals_of, senders, deliveries, now)
    async with database.transaction(pool) as conn:
        fitting = await _fit(conn, arrivals)
        new = await table.insert(conn, fitting, now)
    _ARRIVED.inc(len(arrivals))
    _DUPLICATES.inc(len(fitting) - new)
    foreign = False
    for delivery, arrival in zip(deliveries, arrivals, strict=True):
        if arrival.refused:
            # Without a signature it is no installation's: anybody could keep us from being ready.
            is_signed = arrival.refused == "forged"
            foreign = foreign or (is_signed and _is_ping_of(delivery, service))
            _REFUSED.labels(arrival.refused).inc()
            logs.get().error("event.refused", event_id=str(arrival.event_id), why=arrival.error)
        elif arrival.raw is not None:
            logs.get().error("event.unreadable", event_id=str(arrival.event_id), why=arrival.error)
        elif arrival.parked:
            logs.get().error("event.late", event_id=str(arrival.event_id), why=arrival.error)
    return foreign


def _is_ping_of(delivery: bus.Delivery, service: str) -> bool:
    source = str(delivery.headers.get("cloudEvents_source", ""))
    return delivery.type == ServicePinged.type and source == f"/services/{service}"


async def _fit(conn: database.Connection, arrivals: list[table.Arrival]) -> list[table.Arrival]:
    """All arrivals but the refused ones that find no room any more."""
    if not any(arrival.refused for arrival in arrivals):
        return arrivals
    count, size_bytes = await table.count_raw(conn)
    kept = []
    for arrival in arrivals:
        if arrival.refused:
            if count >= MOST_REFUSED or size_bytes >= MOST_REFUSED_BYTES:
                continue
            count += 1
            size_bytes += len(arrival.raw or b"")
        kept.append(arrival)
    if len(kept) < len(arrivals):
        logs.get().error("event.refused_dropped", dropped=len(arrivals) - len(kept))
    return kept


def arrivals_of(
    senders: Senders, deliveries: Sequence[bus.Delivery], now: datetime
) -> list[table.Arrival]:
    """What is kept of deliveries; a thread's work, for looking at a signature takes its time."""
    return [_arrival(senders, delivery, now) for delivery in deliveries]


def _arrival(senders: Senders, delivery: bus.Delivery, now: datetime) -> table.Arrival:
    """What is kept of a delivery: an event, or the raw body and why it is none."""
    try:
        senders.check(delivery)
        event = _event(delivery)
    except SenderRefused as refused:
        return _raw(delivery, f"refused: {refused}", refused.code)
    except (ValueError, KeyError, TypeError) as error:
        return _raw(delivery, _why(error))
    if event.occurred_at is None or event.occurred_at < now - table.KEPT:
        # Older than what the inbox remembers: it may have been handled, and forgotten since.
        why = f"said at {event.occurred_at}, longer ago than events are remembered"
        return replace(event, parked=True, error=why)
    return event


def _raw(delivery: bus.Delivery, why: str, refused: str = "") -> table.Arrival:
    """Named after its bytes, so that a second delivery is the same row, and never after the id
    that it claims, which may be a good event's.
    """
    envelope = {
        "message_id": delivery.message_id,
        "type": delivery.type,
        "headers": {name: str(value)[:2000] for name, value in list(delivery.headers.items())[:20]},
    }
    wrapped = json.dumps(envelope, sort_keys=True)
    digest = hashlib.sha256(wrapped.encode() + b"\0" + delivery.body).digest()
    return table.Arrival(
        event_id=UUID(bytes=digest[:16]),
        type=table.storable(delivery.type)[:200],
        raw=delivery.body,
        envelope=wrapped,
        refused=refused,
        error=table.storable(why)[:2000],
    )


def unwrap(envelope: str, body: bytes) -> bus.Delivery:
    """A delivery that was parked as it came, once more."""
    told = json.loads(envelope)
    return bus.Delivery(0, told["message_id"], told["type"], body, told["headers"])


def _event(delivery: bus.Delivery) -> table.Arrival:
    event_class = EVENTS.get(delivery.type)
    if event_class is None:
        raise ValueError(f"no event is called {delivery.type!r}")
    event = event_class.model_validate_json(delivery.body)
    headers = delivery.headers
    source = str(headers.get("cloudEvents_source", ""))
    if event.speaker and source != f"/services/{getattr(event, event.speaker)}":
        raise SenderRefused("wrong-sender", f"{source[:100]} says it in another's name")
    return table.Arrival(
        event_id=UUID(delivery.message_id),
        type=delivery.type,
        source=table.storable(source)[:200],
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
