"""The topology table against the handlers that are there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from libs.shared import bus, events
from libs.shared.database import SERVICES
from tests.servers import AMQP_PASSWORDS

ROOT = Path(__file__).parents[2]


def handled_by(service: str) -> set[str]:
    """The event classes that are keys of the table of handlers in a service's consumers.py."""
    source = (ROOT / "services" / service / "consumers.py").read_text(encoding="utf-8")
    return {
        key.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Name) and hasattr(events, key.id)
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_what_it_handles_and_nothing_else(service: str) -> None:
    """What is the transport's, and what was decided of a parked event, a library handles."""
    heard = {event.__name__ for event in bus.BINDINGS[service]}
    assert heard == handled_by(service) | {"ParkedDecided"}


def test_every_event_has_a_reader_or_is_known_to_have_none() -> None:
    heard = {event.type for bound in bus.BINDINGS.values() for event in bound}
    assert set(events.EVENTS) - heard == {event.type for event in bus.ADDRESSED}


async def test_defining_twice_changes_nothing(servers: Any, amqp_url: str) -> None:
    vhost = amqp_url.rpartition("/")[2]
    servers.broker.define(AMQP_PASSWORDS, vhost)
    async with bus.publisher(amqp_url, "test") as publisher:
        assert await publisher.waiting(bus.UNROUTED) == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_the_table_lets_it_say(service: str) -> None:
    """What several services say is said by a library for them."""
    said = set()
    for file in (ROOT / "services" / service).rglob("*.py"):
        tree = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        known = {
            name.name
            for node in tree
            if isinstance(node, ast.ImportFrom) and node.module == "libs.shared.events"
            for name in node.names
        }
        said |= known & {
            node.func.id
            for node in tree
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
    every = {event.__name__ for event in events.EVENTS.values()}
    table = {event.__name__ for event in bus.SENDERS[service]}
    assert said & every == table - {"VolumeChanged", "EventParked", "ParkedSettled", "TenantErased"}
