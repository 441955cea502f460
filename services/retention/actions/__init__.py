"""What retention does, in verbs, by subject."""

from __future__ import annotations

from services.retention.actions import audit, clock, collection, expiry, parts, resources, scrubbing

__all__ = ["audit", "clock", "collection", "expiry", "parts", "resources", "scrubbing"]
