"""What the portal does, in verbs, by subject."""

from __future__ import annotations

from services.portal.actions import (
    choices,
    clients,
    destruction,
    documents,
    files,
    incidents,
    log,
    machines,
    notices,
    orders,
    overages,
    parked,
    people,
    recipients,
    reductions,
    resources,
    restore,
    runs,
    users,
)

__all__ = [
    "choices",
    "clients",
    "destruction",
    "documents",
    "files",
    "incidents",
    "log",
    "machines",
    "notices",
    "orders",
    "overages",
    "parked",
    "people",
    "recipients",
    "reductions",
    "resources",
    "restore",
    "runs",
    "users",
]
