"""Plans and runs: as events tell them, and as they are shown."""

from __future__ import annotations

from services.portal.store.runs import (
    changes,
    dropped,
    holds,
    points,
    received,
    shown,
    strips,
)

__all__ = ["changes", "dropped", "holds", "points", "received", "shown", "strips"]
