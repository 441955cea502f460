"""All SQL of the portal, one statement a function, by subject."""

from __future__ import annotations

from services.portal.store import (
    choices,
    clients,
    credentials,
    destruction,
    documents,
    erasure,
    factors,
    files,
    guesses,
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
    runs,
)

__all__ = [
    "choices",
    "clients",
    "credentials",
    "destruction",
    "documents",
    "erasure",
    "factors",
    "files",
    "guesses",
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
    "runs",
]
