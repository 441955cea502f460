"""Clients: opening, their subscriptions, what these depend on, the word to others."""

from __future__ import annotations

from services.portal.actions.clients import (
    contracts,
    maintenance,
    opening,
    subscription,
    telling,
)

__all__ = ["contracts", "maintenance", "opening", "subscription", "telling"]
