"""Rows of what is collected."""

from __future__ import annotations

from services.retention.store.collection import packs, removals

__all__ = ["packs", "removals"]
