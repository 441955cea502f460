"""What nothing needs goes: packs, and objects that no row names."""

from __future__ import annotations

from services.retention.actions.collection import packs, repacking, strays, tenant

__all__ = ["packs", "repacking", "strays", "tenant"]
