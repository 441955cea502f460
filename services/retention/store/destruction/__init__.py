"""Destructions: their days, the work on them, what there was in the bucket, whose rows are gone."""

from __future__ import annotations

from services.retention.store.destruction import days, erasing, inventories, objects

__all__ = ["days", "erasing", "inventories", "objects"]
