"""RabbitMQ: one topology table, publishing with confirms, consuming with our own reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from pamqp import commands
from pamqp.exceptions import PAMQPException

from libs.shared import events
from libs.shared.events import Event

EXCHANGE = "coffre.events"
UNROUTED = "coffre.unrouted"

# Which service hears what. Every service declares all of it at its start, so that nothing is lost
# that is published before its reader first ran. A ping comes back to the service that sent it.
BINDINGS: Mapping[str, tuple[type[Event], ...]] = {
    "ingest": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
        events.EnrolmentOpened,
        events.AgentRevoked,
        events.AllowanceChanged,
    ),
    "quota": (
        events.TenantChanged,
        events.VolumeChanged,
    ),
    "reporting": (
        events.TenantChanged,
        events.PlanDeclared,
        events.RunFinished,
        events.PasswordIssued,
    ),
    "retention": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
    ),
    "portal": (
        events.AgentEnrolled,
        events.PlanDeclared,
        events.RunStarted,
        events.RunFinished,
        events.VolumeChanged,
        events.AllowanceChanged,
        events.ReportSent,
        events.ReportUndeliverable,
        events.DestructionScheduled,
    ),
}

HEARTBEAT_SECONDS = 10
CONNECT_SECONDS = 10
PUBLISH_SECONDS = 20
IN_FLIGHT = 250
PREFETCH = 1000

_TROUBLE = (aiormq.exceptions.AMQPError, PAMQPException, OSError, RuntimeError)


class BusDown(Exception):  # noqa: N818 - an outage, not an error of ours
    """RabbitMQ is away, or did not confirm; the same may succeed later."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way out: CloudEvents 1.0 attributes and the JSON body."""

    event_id: UUID
    type: str
    routing_key: str
    body: bytes
    source: str
    subject: UUID
    time: datetime
    sequence: int
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived; `headers` as the sender set them, unchecked."""

    tag: int
    message_id: str
    type: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)


def queue_of(service: str) -> str:
    """The name of the one queue that a service reads."""
    return f"coffre.{service}"


def routing_key(event: Event) -> str:
    """The event's type; a ping's also names its service, so that only that one hears it."""
    if isinstance(event, events.ServicePinged):
        return f"{event.type}.{event.service}"
    return event.type


def routing_keys(service: str) -> list[str]:
    """All routing keys that are bound to a service's queue."""
    bound = [event.type for event in BINDINGS[service]]
    return [*bound, f"{events.ServicePinged.type}.{service}"]


async def connect(url: str, name: str) -> AbstractConnection:
    """Opens a plain connection that never reconnects by itself; raises BusDown.

    aio-pika's robust connections are not used: in several versions they came back without
    consumers. Here whoever holds a connection opens the next one.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await aio_pika.connect(
                url,
                heartbeat=HEARTBEAT_SECONDS,
                client_properties={"connection_name": f"coffre-{name}"},
            )
    except _TROUBLE as error:
        raise BusDown(f"can't connect to RabbitMQ: {_words(error)}") from error


async def declare_topology(channel: AbstractChannel) -> AbstractExchange:
    """Declares exchanges, queues and bindings as the table says; the same again changes nothing.

    Lengths, time to live and delivery limits are policies of the broker, never arguments:
    an argument can't be changed once a queue stands.
    """
    unrouted = await channel.declare_exchange(UNROUTED, "fanout", durable=True, internal=False)
    caught = await _declare_queue(channel, UNROUTED)
    await caught.bind(unrouted)
    exchange = await channel.declare_exchange(
        EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED}
    )
    for service in BINDINGS:
        queue = await _declare_queue(channel, queue_of(service))
        for key in routing_keys(service):
            await queue.bind(exchange, routing_key=key)
    return exchange


async def _declare_queue(channel: AbstractChannel, name: str) -> aio_pika.abc.AbstractQueue:
    return await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})


async def count_unrouted(channel: AbstractChannel) -> int:
    """How many events lie where nobody reads; more than none wants a person's look."""
    queue = await channel.declare_queue(UNROUTED, passive=True)
    return queue.declaration_result.message_count or 0


class Publisher:
    """Publishes with confirms over one channel, up to IN_FLIGHT messages at once."""

    def __init__(
        self, connection: AbstractConnection, channel: AbstractChannel, underlay: Any
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._underlay = underlay
        self._room = asyncio.Semaphore(IN_FLIGHT)

    def check(self) -> None:
        """Raises BusDown once the channel or its connection is gone."""
        if self._channel.is_closed or self._connection.is_closed:
            raise BusDown("the connection to RabbitMQ was lost")

    async def publish(self, messages: Sequence[Message]) -> list[BusDown | None]:
        """Publishes in the order given; one result a message: None is a confirm, and success.

        A message in flight when the connection goes may or may not have arrived.
        """
        return await asyncio.gather(*(self._publish_one(message) for message in messages))

    async def unrouted(self) -> int:
        """See `count_unrouted`; raises BusDown."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                return await count_unrouted(self._channel)
        except _TROUBLE as error:
            raise BusDown(_words(error)) from error

    async def _publish_one(self, message: Message) -> BusDown | None:
        try:
            async with self._room:
                await self._underlay.basic_publish(
                    message.body,
                    exchange=EXCHANGE,
                    routing_key=message.routing_key,
                    properties=_properties(message),
                    mandatory=True,
                    timeout=PUBLISH_SECONDS,
                )
        except asyncio.CancelledError:
            # aiormq cancels what waits for a confirm when its channel closes.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return BusDown("the channel was closed before the confirm")
        except _TROUBLE as error:
            return BusDown(f"{message.type} was not confirmed: {_words(error)}")
        return None


@asynccontextmanager
async def publisher(url: str, name: str) -> AsyncIterator[Publisher]:
    """A connection for publishing, its topology declared; raises BusDown."""
    connection = await connect(url, f"{name}-publish")
    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                await declare_topology(channel)
                underlay = await channel.get_underlay_channel()
        except _TROUBLE as error:
            raise BusDown(f"RabbitMQ refused the topology: {_words(error)}") from error
        yield Publisher(connection, channel, underlay)
    finally:
        await _close(connection)


class Subscription:
    """What arrives on a service's queue; nothing is acknowledged but by `acknowledge`."""

    def __init__(
        self,
        connection: AbstractConnection,
        underlay: Any,
        arrived: asyncio.Queue[Delivery | None],
    ) -> None:
        self._connection = connection
        self._underlay = underlay
        self._arrived = arrived
        self._acknowledged = 0

    async def batch(self, most: int) -> list[Delivery]:
        """Waits for one delivery, then takes what else has arrived; raises BusDown at the end."""
        taken = [await self._arrived.get()]
        while len(taken) < most and not self._arrived.empty():
            taken.append(self._arrived.get_nowait())
        if None in taken:
            raise BusDown("the connection to RabbitMQ was lost")
        return [delivery for delivery in taken if delivery is not None]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges all of a batch, with one frame where its tags leave no hole."""
        tags = sorted(delivery.tag for delivery in deliveries)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                if tags[0] == self._acknowledged + 1 and tags[-1] - tags[0] == len(tags) - 1:
                    await self._underlay.basic_ack(tags[-1], multiple=True, wait=False)
                else:
                    for tag in tags:
                        await self._underlay.basic_ack(tag, wait=False)
        except _TROUBLE as error:
            raise BusDown(f"the acknowledgement was not sent: {_words(error)}") from error
        self._acknowledged = tags[-1]


@asynccontextmanager
async def subscription(url: str, service: str) -> AsyncIterator[Subscription]:
    """A connection that consumes a service's queue; raises BusDown.

    The end of the connection, of the channel, or of the consumer at the broker's wish
    shows as BusDown from `Subscription.batch`.
    """
    connection = await connect(url, f"{service}-consume")
    arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()

    def end(*_: object) -> None:
        arrived.put_nowait(None)

    async def deliver(message: aiormq.abc.DeliveredMessage) -> None:
        properties = message.header.properties
        arrived.put_nowait(
            Delivery(
                tag=message.delivery_tag or 0,
                message_id=properties.message_id or "",
                type=properties.message_type or "",
                body=message.body,
                headers=properties.headers or {},
            )
        )

    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await connection.channel()
                await declare_topology(channel)
                underlay = await channel.get_underlay_channel()
                channel.close_callbacks.add(end)
                connection.close_callbacks.add(end)
                underlay.on_consumer_cancel_callbacks.add(end)
                await channel.set_qos(prefetch_count=PREFETCH)
                await underlay.basic_consume(queue_of(service), deliver)
        except _TROUBLE as error:
            raise BusDown(f"RabbitMQ refused the consumer: {_words(error)}") from error
        yield Subscription(connection, underlay, arrived)
    finally:
        await _close(connection)


def _properties(message: Message) -> commands.Basic.Properties:
    headers: dict[str, Any] = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(message.event_id),
        "cloudEvents_source": message.source,
        "cloudEvents_type": message.type,
        "cloudEvents_time": message.time.isoformat(),
        "cloudEvents_subject": str(message.subject),
        "cloudEvents_sequence": str(message.sequence),
    }
    if message.traceparent:
        headers["traceparent"] = message.traceparent
    return commands.Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        message_id=str(message.event_id),
        message_type=message.type,
        headers=headers,
    )


async def _close(connection: AbstractConnection) -> None:
    """Closes within seconds, whatever state the broker is in."""
    try:
        async with asyncio.timeout(3):
            await connection.close()
    except (*_TROUBLE, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
