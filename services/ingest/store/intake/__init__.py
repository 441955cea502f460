"""Rows of what agents send in a run."""

from __future__ import annotations

from services.ingest.store.intake import deltas, packs

__all__ = ["deltas", "packs"]
