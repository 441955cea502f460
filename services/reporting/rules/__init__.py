"""Who gets which mail, what is usual, when to try again: pure decisions, by subject."""

from __future__ import annotations

from services.reporting.rules import (
    allowances,
    bounces,
    choices,
    clients,
    incidents,
    mails,
    missed,
    offers,
    pacing,
    plans,
    reviews,
    runs,
    usual,
    webhooks,
)

__all__ = [
    "allowances",
    "bounces",
    "choices",
    "clients",
    "incidents",
    "mails",
    "missed",
    "offers",
    "pacing",
    "plans",
    "reviews",
    "runs",
    "usual",
    "webhooks",
]
