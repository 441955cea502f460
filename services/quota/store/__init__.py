"""All SQL of quota, one statement a function."""

from __future__ import annotations

from services.quota.store import accounts, cases, days, decisions, erasure, plans

__all__ = ["accounts", "cases", "days", "decisions", "erasure", "plans"]
