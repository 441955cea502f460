"""What coffre-agent restore reads."""

from __future__ import annotations

from services.portal.actions.restore import chunks, manifests, permitting

__all__ = ["chunks", "manifests", "permitting"]
