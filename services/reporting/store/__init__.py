"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import (
    clients,
    erasure,
    incidents,
    mails,
    missed,
    notices,
    offers,
    overages,
    plans,
    proofs,
    reviews,
    runs,
)

__all__ = [
    "clients",
    "erasure",
    "incidents",
    "mails",
    "missed",
    "notices",
    "offers",
    "overages",
    "plans",
    "proofs",
    "reviews",
    "runs",
]
