"""What agents send in a run: packs, and the deltas that name their chunks."""

from __future__ import annotations

from services.ingest.actions.intake import deltas, growth, packs, uploads

__all__ = ["deltas", "growth", "packs", "uploads"]
