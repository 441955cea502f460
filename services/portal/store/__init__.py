"""All SQL of the portal, one statement a function."""

from __future__ import annotations

from services.portal.store import copies, entries, people, shown, tenants

__all__ = ["copies", "entries", "people", "shown", "tenants"]
