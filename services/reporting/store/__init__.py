"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import (
    clients,
    erasure,
    incidents,
    mails,
    missed,
    offers,
    overages,
    plans,
    runs,
    usual,
)

__all__ = [
    "clients",
    "erasure",
    "incidents",
    "mails",
    "missed",
    "offers",
    "overages",
    "plans",
    "runs",
    "usual",
]
