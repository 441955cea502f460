"""A run becomes a restore point, all of it or nothing."""

from __future__ import annotations

from services.ingest.actions.commits import applying, committing

__all__ = ["applying", "committing"]
