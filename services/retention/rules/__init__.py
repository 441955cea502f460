"""When something may be forgotten: pure decisions, by subject."""

from __future__ import annotations

from services.retention.rules import (
    audit,
    collection,
    destruction,
    expiry,
    fills,
    parts,
    reductions,
    rhythm,
)

__all__ = [
    "audit",
    "collection",
    "destruction",
    "expiry",
    "fills",
    "parts",
    "reductions",
    "rhythm",
]
