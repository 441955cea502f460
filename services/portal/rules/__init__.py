"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import (
    branding,
    choices,
    clients,
    credentials,
    destruction,
    documents,
    factors,
    files,
    guesses,
    incidents,
    log,
    notices,
    orders,
    overages,
    people,
    recipients,
    reductions,
    users,
)

__all__ = [
    "branding",
    "choices",
    "clients",
    "credentials",
    "destruction",
    "documents",
    "factors",
    "files",
    "guesses",
    "incidents",
    "log",
    "notices",
    "orders",
    "overages",
    "people",
    "recipients",
    "reductions",
    "users",
]
