"""Prices, orders and what they do, the ledger."""

from __future__ import annotations

from services.portal.actions.orders import billing, effects, offers, ordering, prices, saying

__all__ = ["billing", "effects", "offers", "ordering", "prices", "saying"]
