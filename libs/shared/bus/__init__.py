"""RabbitMQ: one topology table, publishing with confirms, consuming with our own reconnects."""

from __future__ import annotations

from libs.shared.bus.connections import BusDown, connect
from libs.shared.bus.consuming import Delivery, Subscription, subscription
from libs.shared.bus.frames import Message
from libs.shared.bus.publishing import Publisher, publisher
from libs.shared.bus.topology import (
    BINDINGS,
    EXCHANGE,
    UNROUTED,
    declare_topology,
    queue_of,
    routing_key,
    routing_keys,
)

__all__ = [
    "BINDINGS",
    "EXCHANGE",
    "UNROUTED",
    "BusDown",
    "Delivery",
    "Message",
    "Publisher",
    "Subscription",
    "connect",
    "declare_topology",
    "publisher",
    "queue_of",
    "routing_key",
    "routing_keys",
    "subscription",
]
