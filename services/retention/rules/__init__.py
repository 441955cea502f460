"""When something may be forgotten: pure decisions, by subject."""

from __future__ import annotations

from services.retention.rules import audit, clock, collection, destruction, expiry, parts, rhythm

__all__ = ["audit", "clock", "collection", "destruction", "expiry", "parts", "rhythm"]
