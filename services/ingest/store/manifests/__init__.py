"""Rows from which the bucket is told of runs."""

from __future__ import annotations

from services.ingest.store.manifests import due, whole

__all__ = ["due", "whole"]
