"""What the portal does, in verbs, by subject."""

from __future__ import annotations

from services.portal.actions import (
    clients,
    files,
    log,
    machines,
    orders,
    overages,
    people,
    recipients,
    reductions,
    resources,
    restore,
    runs,
    users,
)

__all__ = [
    "clients",
    "files",
    "log",
    "machines",
    "orders",
    "overages",
    "people",
    "recipients",
    "reductions",
    "resources",
    "restore",
    "runs",
    "users",
]
