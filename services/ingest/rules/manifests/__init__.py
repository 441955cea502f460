"""Which runs of the bucket became restore points, and what a plan's content comes to."""

from __future__ import annotations

from services.ingest.rules.manifests import content, history

__all__ = ["content", "history"]
