"""All SQL of retention, one statement a function, by subject."""

from __future__ import annotations

from services.retention.store import (
    audit,
    backup,
    collection,
    destruction,
    expiry,
    fills,
    parts,
    reductions,
    scrubbing,
    sessions,
    tenants,
)

__all__ = [
    "audit",
    "backup",
    "collection",
    "destruction",
    "expiry",
    "fills",
    "parts",
    "reductions",
    "scrubbing",
    "sessions",
    "tenants",
]
