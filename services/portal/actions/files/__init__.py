"""A client's files: browsing, finding, contents, archives."""

from __future__ import annotations

from services.portal.actions.files import (
    archives,
    browsing,
    changed,
    contents,
    downloads,
    finding,
    points,
    previews,
    proving,
    spans,
    tars,
    zips,
)

__all__ = [
    "archives",
    "browsing",
    "changed",
    "contents",
    "downloads",
    "finding",
    "points",
    "previews",
    "proving",
    "spans",
    "tars",
    "zips",
]
