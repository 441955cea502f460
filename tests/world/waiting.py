"""Patience: looks again and again until there is something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 40) -> T:
    """What `look` finds, once that is neither None nor False; fails naming what never came."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None or found is False:
        assert time.monotonic() < deadline, f"{what} didn't come within {seconds} s"
        time.sleep(0.05)
    return found
