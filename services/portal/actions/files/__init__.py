"""A client's files: browsing, finding, contents, archives."""

from __future__ import annotations

from services.portal.actions.files import (
    archives,
    browsing,
    contents,
    downloads,
    finding,
    proving,
    spans,
    tars,
    zips,
)

__all__ = [
    "archives",
    "browsing",
    "contents",
    "downloads",
    "finding",
    "proving",
    "spans",
    "tars",
    "zips",
]
