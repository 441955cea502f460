"""What retention does, in verbs, by subject."""

from __future__ import annotations

from services.retention.actions import (
    audit,
    collection,
    destruction,
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
    "destruction",
    "expiry",
    "fills",
    "parts",
    "reductions",
    "resources",
    "scrubbing",
]
