"""Dumps and hooks of a plan's configuration by small programs of the tests' own."""

from __future__ import annotations

import sys
from typing import Any


def script(text: str) -> list[str]:
    """A program of a few words."""
    return [sys.executable, "-c", text]


def printing(text: str) -> dict[str, Any]:
    """A dump that prints a text and its end mark."""
    return command(f"print({text!r}); print('-- the end')")


def command(text: str, **more: Any) -> dict[str, Any]:
    """A dump by a program of the test's own."""
    return {"name": "books", "type": "command", "command": script(text), "end_mark": "-- the end",
            **more}  # fmt: skip
