"""What quota does."""

from __future__ import annotations

from services.quota.actions import cases, days, decisions, plans

__all__ = ["cases", "days", "decisions", "plans"]
