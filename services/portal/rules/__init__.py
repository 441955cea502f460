"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import (
    clients,
    destruction,
    documents,
    files,
    guesses,
    incidents,
    log,
    orders,
    overages,
    people,
    recipients,
    reductions,
    users,
)

__all__ = [
    "clients",
    "destruction",
    "documents",
    "files",
    "guesses",
    "incidents",
    "log",
    "orders",
    "overages",
    "people",
    "recipients",
    "reductions",
    "users",
]
