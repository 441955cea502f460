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
    notices,
    orders,
    overages,
    passwords,
    recipients,
    resources,
    reviews,
    runs,
    subscriptions,
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
    "notices",
    "orders",
    "overages",
    "passwords",
    "recipients",
    "resources",
    "reviews",
    "runs",
    "subscriptions",
]
