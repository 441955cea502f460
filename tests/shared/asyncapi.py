"""The AsyncAPI document of the events, from their models and the topology table.

`python -m tests.shared.asyncapi` writes docs/asyncapi.json again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from libs.shared import bus
from libs.shared.events import EVENTS, Event

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.json"

_HEADERS = {
    "cloudEvents_specversion": "Always 1.0.",
    "cloudEvents_id": "The event's id, also the AMQP message-id; the same event keeps its id.",
    "cloudEvents_source": "The service that says it, such as /services/ingest.",
    "cloudEvents_type": "The event's name, also the AMQP type.",
    "cloudEvents_time": "When it was said, RFC 3339.",
    "cloudEvents_subject": "The tenant.",
    "cloudEvents_sequence": "The event's number among all of its source, from 1, without gaps.",
    "cloudEvents_signature": "The sender's, over all that counts; base64, see events.md.",
    "traceparent": "W3C trace context, where there is one.",
}


def document() -> dict[str, Any]:
    """The whole document as JSON values."""
    schemas: dict[str, Any] = {}
    for event in EVENTS.values():
        schema = event.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        schemas |= schema.pop("$defs", {})
        schemas[event.__name__] = schema
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Coffre's events",
            "version": "1.0.0",
            "description": "What the services of Coffre tell each other; see events.md.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(event) for name, event in EVENTS.items()},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(event) for name, event in EVENTS.items()},
            "schemas": schemas,
        },
    }


def _channel(event: type[Event]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": f"{event.type}.{{service}}" if event.addressee else event.type,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.type}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": bus.EXCHANGE,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
            }
        },
    }
    if event.addressee:
        channel["parameters"] = {"service": {"enum": list(bus.BINDINGS)}}
    return channel


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": text} for name, text in _HEADERS.items()
            },
            "required": [name for name in _HEADERS if name != "traceparent"],
        },
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"amqp": {"messageType": event.type}},
    }


def _operations() -> dict[str, Any]:
    operations = {}
    for action, table in (("send", bus.SENDERS), ("receive", bus.BINDINGS)):
        for service, known in table.items():
            for event in (*known, *bus.ADDRESSED):
                operations[f"{service}.{action}.{event.type}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{event.type}"},
                    "messages": [{"$ref": f"#/channels/{event.type}/messages/{event.__name__}"}],
                    "tags": [{"name": service}],
                }
    return operations


def text() -> str:
    """The file's contents."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
