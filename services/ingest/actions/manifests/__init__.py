"""What the bucket is told of runs: how they ended, and whole lists."""

from __future__ import annotations

from services.ingest.actions.manifests import ends, lists

__all__ = ["ends", "lists"]
