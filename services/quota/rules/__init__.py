"""Decisions of quota and their data."""

from __future__ import annotations

from services.quota.rules import accounts, cases, forecasts, levels

__all__ = ["accounts", "cases", "forecasts", "levels"]
