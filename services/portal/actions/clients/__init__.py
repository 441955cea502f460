"""Clients: opening, their subscriptions, the word to others."""

from __future__ import annotations

from services.portal.actions.clients import contracts, opening, subscription, telling

__all__ = ["contracts", "opening", "subscription", "telling"]
