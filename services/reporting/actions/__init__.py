"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import (
    damage,
    digests,
    holds,
    incidents,
    mails,
    orders,
    passwords,
    recipients,
    resources,
    runs,
)

__all__ = [
    "damage",
    "digests",
    "holds",
    "incidents",
    "mails",
    "orders",
    "passwords",
    "recipients",
    "resources",
    "runs",
]
