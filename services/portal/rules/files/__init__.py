"""Names, moments and ranges of files."""

from __future__ import annotations

from services.portal.rules.files import moments, names, newest, previews, ranges

__all__ = ["moments", "names", "newest", "previews", "ranges"]
