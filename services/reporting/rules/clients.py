"""What reporting knows of a client."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared.events import Locale, Recipient, SubscriptionState


@dataclass(frozen=True, slots=True)
class Tenant:
    """What reporting knows of a client."""

    tenant_id: UUID
    name: str
    locale: Locale
    timezone: str
    administrators: tuple[Recipient, ...]
    contracted_bytes: int
    subscription: SubscriptionState
    reports_declined: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the subscription ended: what its machines still do causes no mail."""
        return self.subscription in {"ended", "destroyed"}
