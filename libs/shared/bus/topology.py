"""Who says what, who hears what, and the exchange and queues between them: two tables."""

from __future__ import annotations

from collections.abc import Mapping

from libs.shared import events
from libs.shared.events import Event

EXCHANGE = "coffre.events"
UNROUTED = "coffre.unrouted"

_OF_ALL = (events.EventParked, events.ParkedSettled)

# Which service says what: the inbox refuses an event whose signature is another service's, and the
# broker a routing key that isn't its account's. Each also says its pings.
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
# is lost that is published before its reader first ran. A ping comes back to its sender.
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
    """The event's type; a ping's also names its service, so that only that one hears it."""
    if isinstance(event, events.ServicePinged):
        return f"{event.type}.{event.service}"
    return event.type


def routing_keys(service: str) -> list[str]:
    """All routing keys that are bound to a service's queue."""
    bound = [event.type for event in BINDINGS[service]]
    return [*bound, f"{events.ServicePinged.type}.{service}"]


def published_by(service: str) -> frozenset[str]:
    """The types of the events that a service may say."""
    return frozenset((*(event.type for event in SENDERS[service]), events.ServicePinged.type))
