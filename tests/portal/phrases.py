"""Every phrase that the portal's pages say, found in templates and code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.extract import extract_from_dir

PORTAL = Path(__file__).parents[2] / "services" / "portal"
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "say": None, "count": (1, 2)}


def find_phrases() -> set[str | tuple[str, ...]]:
    """Single phrases as text, those with a plural as (one, many)."""
    found: set[str | tuple[str, ...]] = set()
    for _, _, message, _, _ in extract_from_dir(
        PORTAL,
        [("templates/**.html", "jinja2.ext:babel_extract"), ("pages/**.py", "python")],
        {"templates/**.html": {"silent": "false"}},
        keywords=KEYWORDS,
    ):
        found.add(tuple(message) if isinstance(message, tuple) else message)
    return found
