"""All SQL of the portal, one statement a function."""

from __future__ import annotations

from services.portal.store import copies, entries, log, people, shown, tenants

__all__ = ["copies", "entries", "log", "people", "shown", "tenants"]
