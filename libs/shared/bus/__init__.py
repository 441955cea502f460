"""RabbitMQ: one topology table, publishing with confirms, consuming with our own reconnects."""

from __future__ import annotations

from libs.shared.bus.accounts import account_of, definitions
from libs.shared.bus.connections import BusDown, connect
from libs.shared.bus.consuming import Delivery, Subscription, subscription
from libs.shared.bus.frames import Message
from libs.shared.bus.publishing import Publisher, publisher
from libs.shared.bus.retries import Retries
from libs.shared.bus.topology import (
    BINDINGS,
    EXCHANGE,
    SENDERS,
    UNROUTED,
    published_by,
    queue_of,
    routing_key,
    routing_keys,
)

__all__ = [
    "BINDINGS",
    "EXCHANGE",
    "SENDERS",
    "UNROUTED",
    "BusDown",
    "Delivery",
    "Message",
    "Publisher",
    "Retries",
    "Subscription",
    "account_of",
    "connect",
    "definitions",
    "published_by",
    "publisher",
    "queue_of",
    "routing_key",
    "routing_keys",
    "subscription",
]
