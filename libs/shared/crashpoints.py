"""Named places at which a test lets a process die, as `kill -9` would."""

from __future__ import annotations

import os

VARIABLE = "COFFRE_CRASHPOINT"
EXIT_CODE = 137

_name, _, _passage = os.environ.get(VARIABLE, "").partition(":")
_left = int(_passage or 1)


def crashpoint(name: str) -> None:
    """Ends the process where COFFRE_CRASHPOINT is `name`, or `name:N` at the Nth passage."""
    global _left  # noqa: PLW0603 - one counter for the one armed place of the process
    if not _name or name != _name:
        return
    _left -= 1
    if _left <= 0:
        os._exit(EXIT_CODE)
