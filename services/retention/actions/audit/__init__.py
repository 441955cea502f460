"""Catalogue and bucket compared in words, and mended."""

from __future__ import annotations

from services.retention.actions.audit import comparing, proving, repairing

__all__ = ["comparing", "proving", "repairing"]
