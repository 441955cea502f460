"""Paths as people read them."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: bytes) -> str:
    """A path for people: valid UTF-8 as it is, other bytes and control characters escaped."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shown_place(place: Path) -> str:
    """A path of this system for people."""
    return shown(os.fsencode(place))


def shown_absolute(path: bytes) -> str:
    """A path for people, of one that is kept without its leading slash."""
    return shown(b"/" + path)
