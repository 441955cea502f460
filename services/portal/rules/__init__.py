"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import (
    approvals,
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
    operators,
    orders,
    overages,
    people,
    recipients,
    reductions,
    users,
)

__all__ = [
    "approvals",
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
    "operators",
    "orders",
    "overages",
    "people",
    "recipients",
    "reductions",
    "users",
]
