"""Files of a restore point: browsing, searching, downloads."""

from __future__ import annotations

from services.portal.api.files import browsing, downloads, searching

__all__ = ["browsing", "downloads", "searching"]
