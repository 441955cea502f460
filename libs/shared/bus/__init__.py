"""RabbitMQ: one topology table, publishing with confirms, consuming with our own reconnects."""

from __future__ import annotations

from libs.shared.bus.accounts import account_of, definitions
from libs.shared.bus.connections import BusDown, connect
from libs.shared.bus.consuming import Delivery, Subscription, subscription
from libs.shared.bus.frames import Message
from libs.shared.bus.publishing import Publisher, publisher
from libs.shared.bus.retries import Retries
from libs.shared.bus.topology import (
    ADDRESSED,
    BINDINGS,
    EXCHANGE,
    SENDERS,
    UNROUTED,
    published_by,
    published_under,
    queue_of,
    readers_of,
    routing_key,
    routing_keys,
    said_to,
)

__all__ = [
    "ADDRESSED",
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
    "published_under",
    "publisher",
    "queue_of",
    "readers_of",
    "routing_key",
    "routing_keys",
    "said_to",
    "subscription",
]
