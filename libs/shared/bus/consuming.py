"""Consuming: what arrives on a service's queue, acknowledged once it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiormq
from aio_pika.abc import AbstractConnection

from libs.shared.bus.connections import (
    CONNECT_SECONDS,
    BusDown,
    close,
    connect,
    trouble_translated,
)
from libs.shared.bus.topology import queue_of

PREFETCH = 1000
ACKNOWLEDGE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived; `headers` as the sender set them, unchecked."""

    tag: int
    message_id: str
    type: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)


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
        with trouble_translated("the acknowledgement was not sent"):
            async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                if tags[0] == self._acknowledged + 1 and tags[-1] - tags[0] == len(tags) - 1:
                    await self._underlay.basic_ack(tags[-1], multiple=True, wait=False)
                else:
                    for tag in tags:
                        await self._underlay.basic_ack(tag, wait=False)
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
        with trouble_translated("RabbitMQ did not take the consumer"):
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await connection.channel()
                underlay = await channel.get_underlay_channel()
                channel.close_callbacks.add(end)
                connection.close_callbacks.add(end)
                underlay.on_consumer_cancel_callbacks.add(end)
                await channel.set_qos(prefetch_count=PREFETCH)
                await underlay.basic_consume(queue_of(service), deliver)
        yield Subscription(connection, underlay, arrived)
    finally:
        await close(connection)
