"""The access log: what can stand in it, and the chain that holds it together."""

from __future__ import annotations

from services.portal.rules.log import acts, chain

__all__ = ["acts", "chain"]
