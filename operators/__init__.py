"""`coffre`: what the provider's operators do from a terminal, by the portal's JSON API alone."""

from __future__ import annotations

__version__ = "0.3.0"
