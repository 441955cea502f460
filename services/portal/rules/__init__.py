"""What the portal decides, by subject."""

from __future__ import annotations

from services.portal.rules import clients, files, guesses, log, people, recipients

__all__ = ["clients", "files", "guesses", "log", "people", "recipients"]
