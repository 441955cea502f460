"""What RabbitMQ is told before any service starts: accounts, their rights, exchange, queues.

One account a service. It may publish the events that its service says, read its own queue, and
change nothing: what stands in the broker is an administrator's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from libs.shared.bus.topology import (
    BINDINGS,
    EXCHANGE,
    UNROUTED,
    published_under,
    queue_of,
    routing_keys,
)

NOTHING = "^$"


def account_of(service: str) -> str:
    """The user name under which a service signs in."""
    return f"coffre_{service}"


def definitions(passwords: Mapping[str, str], vhost: str = "/") -> dict[str, Any]:
    """Everything as RabbitMQ's definitions, to be imported; the same again changes nothing.

    passwords: one for each service. Lengths, times to live and delivery limits are policies
    (docs/events.md), never arguments of the queues, which can't be changed once a queue stands.
    """
    queues = [UNROUTED, *map(queue_of, BINDINGS)]
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": account_of(service),
                "password_hash": _hash(passwords[service]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
            for service in BINDINGS
        ],
        "permissions": [_rights(service, vhost) for service in BINDINGS],
        "topic_permissions": [_routes(service, vhost) for service in BINDINGS],
        "exchanges": [
            _exchange(UNROUTED, "fanout", vhost, {}),
            _exchange(EXCHANGE, "topic", vhost, {"alternate-exchange": UNROUTED}),
        ],
        "queues": [
            {
                "name": name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-queue-type": "quorum"},
            }
            for name in queues
        ],
        "bindings": [
            _binding(UNROUTED, UNROUTED, "", vhost),
            *(
                _binding(EXCHANGE, queue_of(service), key, vhost)
                for service in BINDINGS
                for key in routing_keys(service)
            ),
        ],
    }


def _rights(service: str, vhost: str) -> dict[str, str]:
    return {
        "user": account_of(service),
        "vhost": vhost,
        "configure": NOTHING,
        "write": _only(EXCHANGE),
        "read": _only(queue_of(service)),
    }


def _routes(service: str, vhost: str) -> dict[str, str]:
    """Under which routing keys a service may publish."""
    return {
        "user": account_of(service),
        "vhost": vhost,
        "exchange": EXCHANGE,
        "write": _only(*published_under(service)),
        "read": NOTHING,
    }


def _only(*names: str) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"


def _exchange(name: str, kind: str, vhost: str, arguments: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": vhost,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": arguments,
    }


def _binding(source: str, queue: str, key: str, vhost: str) -> dict[str, Any]:
    return {
        "source": source,
        "vhost": vhost,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }


def _hash(password: str) -> str:
    """The password as RabbitMQ keeps it; salted by itself, so that the same gives the same."""
    salt = hashlib.sha256(b"coffre/amqp/" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
