"""Files of a restore point: browsing, searching, downloads."""

from __future__ import annotations

from services.portal.api.files import browsing, downloads, looking, searching, selecting

__all__ = ["browsing", "downloads", "looking", "searching", "selecting"]
