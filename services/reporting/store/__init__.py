"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import clients, mails, plans, runs

__all__ = ["clients", "mails", "plans", "runs"]
