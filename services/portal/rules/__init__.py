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
    "users",
]
__all__ = ["clients", "files", "guesses", "log", "orders", "people", "recipients", "users"]
from services.portal.rules import clients, files, guesses, log, people, recipients, reductions

__all__ = ["clients", "files", "guesses", "log", "people", "recipients", "reductions"]
    "people",
    "recipients",
    "reductions",
    "users",
]
