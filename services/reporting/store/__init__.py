"""All SQL of reporting, by subject."""

from __future__ import annotations

from services.reporting.store import clients, incidents, mails, offers, plans, runs

__all__ = ["clients", "incidents", "mails", "offers", "plans", "runs"]
from services.reporting.store import overages

__all__ = ["clients", "mails", "offers", "overages", "plans", "runs"]
from services.reporting.store import erasure

__all__ = ["clients", "erasure", "mails", "offers", "plans", "runs"]
