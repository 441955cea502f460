"""Clients: opening, their subscriptions, the word to others."""

from __future__ import annotations

from services.portal.actions.clients import opening, subscription, telling

__all__ = ["opening", "subscription", "telling"]
