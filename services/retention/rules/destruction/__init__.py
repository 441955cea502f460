"""Destruction: when it is due, what it waits for, what it proves."""

from __future__ import annotations

from services.retention.rules.destruction.certificate import Facts, write_certificate
from services.retention.rules.destruction.dates import (
    ASK_AGAIN_AFTER,
    LOOK_AGAIN_AFTER,
    TRY_LOCKED_AFTER,
    find_destruction_date,
)
from services.retention.rules.destruction.guards import Guards, Standing, find_objections
from services.retention.rules.destruction.merkle import MerkleTree, hash_leaf

__all__ = [
    "ASK_AGAIN_AFTER",
    "LOOK_AGAIN_AFTER",
    "TRY_LOCKED_AFTER",
    "Facts",
    "Guards",
    "MerkleTree",
    "Standing",
    "find_destruction_date",
    "find_objections",
    "hash_leaf",
    "write_certificate",
]
