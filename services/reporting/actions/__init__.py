"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import (
    clients,
    destructions,
    digests,
    hotline,
    incidents,
    mails,
    missed,
    orders,
    overages,
    passwords,
    recipients,
    resources,
    runs,
    subscriptions,
    webhooks,
)

__all__ = [
    "clients",
    "destructions",
    "digests",
    "hotline",
    "incidents",
    "mails",
    "missed",
    "orders",
    "overages",
    "passwords",
    "recipients",
    "resources",
    "runs",
    "subscriptions",
    "webhooks",
]
