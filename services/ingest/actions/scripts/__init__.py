"""Whole files of scripts, cut here and bundled into batches."""

from __future__ import annotations

from services.ingest.actions.scripts import bundling, files, inflow

__all__ = ["bundling", "files", "inflow"]
