"""Who gets which mail, what is usual, when to try again: pure decisions, by subject."""

from __future__ import annotations

from services.reporting.rules import (
    allowances,
    choices,
    clients,
    incidents,
    mails,
    missed,
    offers,
    plans,
    reviews,
    runs,
    usual,
)

__all__ = [
    "allowances",
    "choices",
    "clients",
    "incidents",
    "mails",
    "missed",
    "offers",
    "plans",
    "reviews",
    "runs",
    "usual",
]
