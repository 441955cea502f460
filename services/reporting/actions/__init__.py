"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import (
    bounces,
    clients,
    destructions,
    digests,
    hotline,
    incidents,
    mails,
    missed,
    notices,
    orders,
    overages,
    passwords,
    recipients,
    resources,
    reviews,
    runs,
    sending,
    subscriptions,
    usual,
    webhooks,
)

__all__ = [
    "bounces",
    "clients",
    "destructions",
    "digests",
    "hotline",
    "incidents",
    "mails",
    "missed",
    "notices",
    "orders",
    "overages",
    "passwords",
    "recipients",
    "resources",
    "reviews",
    "runs",
    "sending",
    "subscriptions",
    "usual",
    "webhooks",
]
