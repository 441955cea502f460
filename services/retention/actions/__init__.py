"""What retention does, in verbs, by subject."""

from __future__ import annotations

from services.retention.actions import (
    audit,
    collection,
    expiry,
    fills,
    parts,
    reductions,
    resources,
    scrubbing,
)

__all__ = [
    "audit",
    "collection",
    "expiry",
    "fills",
    "parts",
    "reductions",
    "resources",
    "scrubbing",
]
