"""Clients: opening, their subscriptions, what these depend on, the word to others."""

from __future__ import annotations

from services.portal.actions.clients import (
    contracts,
    listing,
    maintenance,
    opening,
    subscription,
    telling,
    terms,
)

__all__ = ["contracts", "listing", "maintenance", "opening", "subscription", "telling", "terms"]
