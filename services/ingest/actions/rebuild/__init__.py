"""A lost catalogue comes back from the bucket."""

from __future__ import annotations

from services.ingest.actions.rebuild import (
    fetching,
    fingerprints,
    gathering,
    rebuilding,
    replaying,
    resealing,
)

__all__ = ["fetching", "fingerprints", "gathering", "rebuilding", "replaying", "resealing"]
