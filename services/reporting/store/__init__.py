"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import clients, mails, offers, overages, plans, runs

__all__ = ["clients", "mails", "offers", "overages", "plans", "runs"]
