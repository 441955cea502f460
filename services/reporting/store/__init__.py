"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import (
    bounces,
    clients,
    delays,
    digests,
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
    sending,
    usual,
    webhooks,
)

__all__ = [
    "bounces",
    "clients",
    "delays",
    "digests",
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
    "sending",
    "usual",
    "webhooks",
]
