"""Exchanges, queues and bindings: one table, declared by every service at its start."""

from __future__ import annotations

from collections.abc import Mapping

from aio_pika.abc import AbstractChannel, AbstractQueue

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
        events.RecipientsChanged,
        events.RecipientInvited,
        events.StorageDamaged,
    ),
    "retention": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
        events.RunFinished,
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
        events.VersionsExpired,
    ),
}


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


async def declare_topology(channel: AbstractChannel) -> None:
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


async def _declare_queue(channel: AbstractChannel, name: str) -> AbstractQueue:
    return await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})


async def count_unrouted(channel: AbstractChannel) -> int:
    """How many events lie where nobody reads; more than none wants a person's look."""
    queue = await channel.declare_queue(UNROUTED, passive=True)
    return queue.declaration_result.message_count or 0
