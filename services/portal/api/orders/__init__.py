"""Orders, prices and bills by program: for operators, and for a client's administrators."""

from __future__ import annotations

from services.portal.api.orders import clients, operators

__all__ = ["clients", "operators"]
