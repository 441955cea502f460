"""What a person reads while a stack starts: plain lines, coloured on a terminal only."""

from __future__ import annotations

import os
import sys

_COLOURS = {"good": "32", "warn": "33", "bad": "31", "strong": "1"}


def is_terminal() -> bool:
    """Says whether somebody watches on a terminal (never so under CI)."""
    return sys.stdout.isatty() and not os.environ.get("CI") and not os.environ.get("NO_COLOR")


def paint(text: str, style: str) -> str:
    """Gives the text in a style's colour where there is a terminal."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if is_terminal() else text


def line(text: str = "") -> None:
    """Writes one line at once."""
    print(text, flush=True)


def done(text: str) -> None:
    """Writes that one step is behind us."""
    line(f"  {paint('✓', 'good')} {text}")


def warning(text: str) -> None:
    """Writes what went wrong but is being dealt with."""
    line(f"  {paint('!', 'warn')} {text}")


def failure(text: str) -> None:
    """Writes to standard error why we give up."""
    print(f"{paint('Error:', 'bad')} {text}", file=sys.stderr, flush=True)
