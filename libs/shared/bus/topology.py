"""Who says what, who hears what, and the exchange and queues between them: two tables."""

from __future__ import annotations

from collections.abc import Mapping

from libs.shared import events
from libs.shared.events import Event

EXCHANGE = "coffre.events"
UNROUTED = "coffre.unrouted"

_OF_ALL = (events.EventParked, events.ParkedSettled)

ADDRESSED: tuple[type[Event], ...] = (
    events.ServicePinged,
    events.EventsListed,
    events.EventsCompared,
)
"""Of the transport itself: all services say and hear them, each what names it."""

# Which service says what: the inbox refuses an event whose signature is another service's, and the
# broker a routing key that isn't its account's.
SENDERS: Mapping[str, tuple[type[Event], ...]] = {
    "ingest": (
        events.AgentEnrolled,
        events.PlanDeclared,
        events.RunStarted,
        events.RunFinished,
        events.VolumeChanged,
        *_OF_ALL,
        events.TenantErased,
    ),
    "quota": (
        events.AllowanceChanged,
        events.VolumeApproached,
        events.VolumeCounted,
        events.OverageOpened,
        events.OverageReminded,
        events.OverageExtended,
        events.OverageBlocked,
        events.OverageClosed,
        *_OF_ALL,
        events.TenantErased,
    ),
    "reporting": (
        events.ReportSent,
        events.ReportUndeliverable,
        events.RunJudged,
        events.NoticeDelivered,
        events.RunMissed,
        events.IncidentOpened,
        events.IncidentChanged,
        events.IncidentClosed,
        *_OF_ALL,
        events.TenantErased,
    ),
    "retention": (
        events.VolumeChanged,
        events.VersionsExpired,
        events.ExpiryHeld,
        events.ExpiryCleared,
        events.StorageDamaged,
        events.StorageMended,
        events.DestructionScheduled,
        *_OF_ALL,
        events.ReductionApplied,
        events.DestructionProgressed,
        events.DestructionAsked,
        events.DestructionStarted,
        events.DestructionCompleted,
    ),
    "portal": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
        events.SubscriptionMoved,
        events.MaintenanceNearing,
        events.DocumentPublished,
        events.NoticePublished,
        events.NoticeWithdrawn,
        events.EnrolmentOpened,
        events.AgentRevoked,
        events.PasswordIssued,
        events.PasswordForgotten,
        events.RecipientsChanged,
        events.RecipientInvited,
        events.OffersChanged,
        events.OrderConfirmed,
        events.OverageAnswered,
        events.OverageDecided,
        events.ParkedDecided,
        events.IncidentDecided,
        events.HelpAsked,
        events.PlanPaused,
        events.ExpiryDecided,
        events.StorageDoubted,
        *_OF_ALL,
        events.ReductionOrdered,
        events.ReductionWithdrawn,
        events.DestructionPermitted,
        events.DestructionDecided,
        events.TenantErased,
    ),
}

# Which service hears what. The broker is told all of it before any service starts, so that nothing
# is lost that is published before its reader first ran.
BINDINGS: Mapping[str, tuple[type[Event], ...]] = {
    "ingest": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
        events.EnrolmentOpened,
        events.AgentRevoked,
        events.AllowanceChanged,
        events.NoticePublished,
        events.NoticeWithdrawn,
        events.ParkedDecided,
        events.DestructionStarted,
    ),
    "quota": (
        events.TenantChanged,
        events.VolumeChanged,
        events.RunFinished,
        events.OverageAnswered,
        events.OverageDecided,
        events.ParkedDecided,
        events.DestructionStarted,
    ),
    "reporting": (
        events.TenantChanged,
        events.PlanDeclared,
        events.RunFinished,
        events.PasswordIssued,
        events.PasswordForgotten,
        events.RecipientsChanged,
        events.RecipientInvited,
        events.OffersChanged,
        events.OrderConfirmed,
        events.ExpiryHeld,
        events.ExpiryCleared,
        events.StorageDamaged,
        events.StorageMended,
        events.IncidentDecided,
        events.HelpAsked,
        events.PlanPaused,
        events.EventParked,
        events.ParkedSettled,
        events.VolumeApproached,
        events.OverageOpened,
        events.OverageReminded,
        events.OverageExtended,
        events.OverageBlocked,
        events.OverageClosed,
        events.OverageAnswered,
        events.SubscriptionMoved,
        events.MaintenanceNearing,
        events.DocumentPublished,
        events.NoticePublished,
        events.NoticeWithdrawn,
        events.ParkedDecided,
        events.DestructionProgressed,
        events.DestructionStarted,
        events.DestructionCompleted,
    ),
    "retention": (
        events.TenantChanged,
        events.SubscriptionEnded,
        events.SubscriptionReinstated,
        events.RunFinished,
        events.RunJudged,
        events.ExpiryDecided,
        events.ParkedDecided,
        events.ReductionOrdered,
        events.ReductionWithdrawn,
        events.DestructionPermitted,
        events.DestructionDecided,
        events.StorageDoubted,
        events.TenantErased,
    ),
    "portal": (
        events.AgentEnrolled,
        events.PlanDeclared,
        events.RunStarted,
        events.RunFinished,
        events.RunJudged,
        events.ExpiryHeld,
        events.ExpiryCleared,
        events.VolumeChanged,
        events.VolumeCounted,
        events.AllowanceChanged,
        events.OverageOpened,
        events.OverageReminded,
        events.OverageExtended,
        events.OverageBlocked,
        events.OverageClosed,
        events.ReportSent,
        events.ReportUndeliverable,
        events.NoticeDelivered,
        events.RunMissed,
        events.IncidentOpened,
        events.IncidentChanged,
        events.IncidentClosed,
        events.DestructionScheduled,
        events.VersionsExpired,
        events.EventParked,
        events.ParkedSettled,
        events.ParkedDecided,
        events.ReductionApplied,
        events.DestructionProgressed,
        events.DestructionAsked,
        events.DestructionStarted,
        events.DestructionCompleted,
    ),
}


def queue_of(service: str) -> str:
    """The name of the one queue that a service reads."""
    return f"coffre.{service}"


def routing_key(event: Event) -> str:
    """The event's type; of one that has an addressee also its name, so that only it hears it."""
    return f"{event.type}.{getattr(event, event.addressee)}" if event.addressee else event.type


def routing_keys(service: str) -> list[str]:
    """All routing keys that are bound to a service's queue."""
    bound = [event.type for event in BINDINGS[service]]
    return [*bound, *(f"{event.type}.{service}" for event in ADDRESSED)]


def published_by(service: str) -> frozenset[str]:
    """The types of the events that a service may say."""
    return frozenset(event.type for event in (*SENDERS[service], *ADDRESSED))


def published_under(service: str) -> list[str]:
    """All routing keys that a service may publish under."""
    said = [event.type for event in SENDERS[service]]
    heard = [sender for sender in SENDERS if said_to(service, sender)]
    return [
        *said,
        f"{events.ServicePinged.type}.{service}",
        *(f"{events.EventsListed.type}.{reader}" for reader in readers_of(service)),
        *(f"{events.EventsCompared.type}.{sender}" for sender in heard),
    ]


def said_to(reader: str, service: str) -> list[str]:
    """The types of the events that a reader hears of a service."""
    return [event.type for event in SENDERS[service] if event in BINDINGS[reader]]


def readers_of(service: str) -> list[str]:
    """Which services hear any event of a service."""
    return [reader for reader in BINDINGS if said_to(reader, service)]
