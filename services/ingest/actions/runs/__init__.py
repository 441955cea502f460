"""Runs: how they start, who works on them, and how they end."""

from __future__ import annotations

from services.ingest.actions.runs import ending, holding, starting

__all__ = ["ending", "holding", "starting"]
