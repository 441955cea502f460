"""What is ordered, what it costs, and what is due for it."""

from __future__ import annotations

from services.portal.rules.orders import ledger, months, ordering, prices, refusals

__all__ = ["ledger", "months", "ordering", "prices", "refusals"]
