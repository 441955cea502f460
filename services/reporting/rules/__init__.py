"""Who gets which mail, what is usual, when to try again: pure decisions, by subject."""

from __future__ import annotations

from services.reporting.rules import (
    allowances,
    clients,
    incidents,
    mails,
    missed,
    offers,
    plans,
    runs,
    usual,
    webhooks,
)

__all__ = [
    "allowances",
    "clients",
    "incidents",
    "mails",
    "missed",
    "offers",
    "plans",
    "runs",
    "usual",
    "webhooks",
]
