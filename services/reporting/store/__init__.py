"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import (
    clients,
    erasure,
    incidents,
    mails,
    matters,
    missed,
    notices,
    offers,
    overages,
    plans,
    proofs,
    reviews,
    runs,
    usual,
    webhooks,
)

__all__ = [
    "clients",
    "erasure",
    "incidents",
    "mails",
    "matters",
    "missed",
    "notices",
    "offers",
    "overages",
    "plans",
    "proofs",
    "reviews",
    "runs",
    "usual",
    "webhooks",
]
