"""SQL of prices, orders and the ledger."""

from __future__ import annotations

from services.portal.store.orders import ledger, placed, prices

__all__ = ["ledger", "placed", "prices"]
