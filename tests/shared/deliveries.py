"""Events as the broker delivers them, and the inbox they are stored in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from libs.shared import bus, inbox
from libs.shared.inbox import consumer
from tests.shared.conftest import Side


def delivery(
    event: Any,
    *,
    message_id: str = "",
    kind: str = "",
    body: bytes = b"",
    headers: dict[str, Any] | None = None,
) -> bus.Delivery:
    """An event on its way in; what is given stands in the place of what it would carry."""
    return bus.Delivery(
        tag=1,
        message_id=message_id or str(uuid4()),
        type=kind or event.type,
        body=body or event.model_dump_json().encode(),
        headers={
            "cloudEvents_source": "/services/ingest\0",
            "cloudEvents_sequence": "7",
            "traceparent": "nonsense",
            **(headers or {}),
        },
    )


async def store(side: Side, *deliveries: bus.Delivery) -> None:
    """Stores deliveries as the consumer does."""
    await consumer.store(side.pool, deliveries)


def workers(side: Side, handlers: inbox.Handlers) -> inbox.Workers:
    """The workers of a side, not yet started."""
    return inbox.Workers(side.service, side.pool, handlers)


async def make_due(side: Side) -> None:
    """Spares a test the pauses between tries."""
    await side.pool.execute("UPDATE inbox SET next_at = received_at WHERE state = 'pending'")
