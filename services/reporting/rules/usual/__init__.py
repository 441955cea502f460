"""What is usual for a plan, and which runs are not (docs/unusual.md)."""

from __future__ import annotations

from services.reporting.rules.usual import figures, judging

__all__ = ["figures", "judging"]
