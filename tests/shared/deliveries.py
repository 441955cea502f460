"""Events as the broker delivers them, and the inbox they are stored in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from libs.shared import bus, clock, inbox
from libs.shared.inbox import consumer
from libs.shared.signatures import SIGNATURE_HEADER, Signer, incoming
from tests.shared.conftest import Side
from tests.world.senders import SENDERS, SIGNERS, sender_of


def delivery(
    event: Any,
    *,
    message_id: str = "",
    kind: str = "",
    body: bytes = b"",
    headers: dict[str, Any] | None = None,
) -> bus.Delivery:
    """An event on its way in; what is given stands in the place of what it would carry.

    It is signed by a service that says such events, whatever it looks like.
    """
    signer = SIGNERS[sender_of(event)]
    unsigned = bus.Delivery(
        tag=1,
        message_id=message_id or str(uuid4()),
        type=kind or event.type,
        body=body or event.model_dump_json().encode(),
        headers={
            "cloudEvents_source": signer.source,
            "cloudEvents_time": clock.now().isoformat(),
            "cloudEvents_subject": str(event.tenant_id),
            "cloudEvents_sequence": "7",
            "traceparent": "nonsense",
            **(headers or {}),
        },
    )
    return signed(unsigned, signer)


def signed(delivery: bus.Delivery, signer: Signer) -> bus.Delivery:
    """A delivery that its sender has signed as it is."""
    signature = signer.sign([incoming(delivery)])
    return replace(delivery, headers={**delivery.headers, SIGNATURE_HEADER: signature})


async def store(side: Side, *deliveries: bus.Delivery) -> None:
    """Stores deliveries as the consumer does."""
    await consumer.store(side.pool, SENDERS, deliveries)


def workers(side: Side, handlers: inbox.Handlers) -> inbox.Workers:
    """The workers of a side, not yet started."""
    return inbox.Workers(side.service, side.pool, handlers)


async def make_due(side: Side) -> None:
    """Spares a test the pauses between tries."""
    await side.pool.execute("UPDATE inbox SET next_at = received_at WHERE state = 'pending'")
