"""All SQL of retention, one statement a function, by subject."""

from __future__ import annotations

from services.retention.store import (
    audit,
    clock,
    collection,
    destruction,
    expiry,
    parts,
    scrubbing,
    sessions,
    tenants,
)

__all__ = [
    "audit",
    "clock",
    "collection",
    "destruction",
    "expiry",
    "parts",
    "scrubbing",
    "sessions",
    "tenants",
]
