"""Destruction, step by step: each can be cut anywhere, and goes on from what is there."""

from __future__ import annotations

from services.retention.actions.destruction import (
    advancing,
    beginning,
    deciding,
    destroying,
    ending,
    ledger,
    telling,
)

__all__ = [
    "advancing",
    "beginning",
    "deciding",
    "destroying",
    "ending",
    "ledger",
    "telling",
]
