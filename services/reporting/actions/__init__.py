"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import (
    clients,
    damage,
    destructions,
    digests,
    holds,
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
    usual,
)

__all__ = [
    "clients",
    "damage",
    "destructions",
    "digests",
    "holds",
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
    "usual",
]
