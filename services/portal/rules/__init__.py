"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import clients, files, log, people

__all__ = ["clients", "files", "log", "people"]
