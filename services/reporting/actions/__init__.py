"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import (
    bounces,
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
    sending,
    subscriptions,
)

__all__ = [
    "bounces",
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
    "sending",
    "subscriptions",
]
