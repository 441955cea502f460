"""Acts with clients: their terms, machines, subscription and documents."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class TenantsListed(Act):
    """Every client at a glance, by an operator."""

    code = "tenants-listed"
    tenants: int


@dataclass(frozen=True)
class TenantViewed(Act):
    """One client's people, machines and volume, by an operator."""

    code = "tenant-viewed"


@dataclass(frozen=True)
class TenantOpened(Act):
    """A new client company."""

    code = "tenant-opened"
    name: str


@dataclass(frozen=True)
class EnrolmentOpened(Act):
    """A code with which one machine may join."""

    code = "enrolment-opened"
    label: str


@dataclass(frozen=True)
class EnrolmentWithdrawn(Act):
    """A code that nobody had used was taken back."""

    code = "enrolment-withdrawn"
    label: str


@dataclass(frozen=True)
class MachinesListed(Act):
    """A client's machines, and the codes that are open."""

    code = "machines-listed"


@dataclass(frozen=True)
class AgentRevoked(Act):
    """A machine's token was withdrawn."""

    code = "agent-revoked"
    agent_id: str


@dataclass(frozen=True)
class OfSubscription(Act):
    """A subscription's next state, and why."""

    reason: str


@dataclass(frozen=True)
class SubscriptionEndAnnounced(OfSubscription):
    """A subscription will end."""

    code = "subscription-end-announced"


@dataclass(frozen=True)
class SubscriptionEnded(OfSubscription):
    """A subscription ended, by an operator or because its day had come."""

    code = "subscription-ended"


@dataclass(frozen=True)
class SubscriptionSuspended(OfSubscription):
    """Copies and recovery were stopped."""

    code = "subscription-suspended"


@dataclass(frozen=True)
class SubscriptionResumed(OfSubscription):
    """A suspension or an announced end was taken back."""

    code = "subscription-resumed"


@dataclass(frozen=True)
class SubscriptionReinstated(OfSubscription):
    """An end was taken back."""

    code = "subscription-reinstated"


@dataclass(frozen=True)
class MaintenanceSet(Act):
    """Until which day the backup software is maintained; "" where nothing depends on it."""

    code = "maintenance-set"
    until: str
    reason: str


@dataclass(frozen=True)
class _OfDocument(Act):
    """Something about one version of a document that clients accept."""

    document: str
    version: str


@dataclass(frozen=True)
class DocumentPublished(_OfDocument):
    """A version that clients are asked to accept."""

    code = "document-published"


@dataclass(frozen=True)
class DocumentsListed(Act):
    """Every version that was published, by an operator."""

    code = "documents-listed"


@dataclass(frozen=True)
class AcceptancesListed(_OfDocument):
    """Who accepted a version, by an operator."""

    code = "acceptances-listed"


@dataclass(frozen=True)
class DocumentsViewed(Act):
    """The documents that a client is asked to accept, or accepted."""

    code = "documents-viewed"


@dataclass(frozen=True)
class DocumentAccepted(_OfDocument):
    """An administrator accepted a version for their company."""

    code = "document-accepted"
