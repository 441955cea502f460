"""SQL of the queue while it is emptied: who takes which mail (`claims`), what became of it."""

from __future__ import annotations

from services.reporting.store.sending import claims, verdicts

__all__ = ["claims", "verdicts"]
