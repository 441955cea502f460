"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import (
    clients,
    files,
    guesses,
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
    "files",
    "guesses",
    "log",
    "orders",
    "overages",
    "people",
    "recipients",
    "reductions",
    "users",
]
