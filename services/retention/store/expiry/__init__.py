"""SQL of expiry: how plans are judged, what holds that up, and what goes."""

from __future__ import annotations

from services.retention.store.expiry import holds, judging, removing

__all__ = ["holds", "judging", "removing"]
