"""Rows of what is collected."""

from __future__ import annotations

from services.retention.store.collection import marks, packs, removals

__all__ = ["marks", "packs", "removals"]
