"""Patience: looks again and again until there is something, the less often the longer it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
    """What `look` finds, once that is neither None nor False; fails naming what never came."""
    began = time.monotonic()
    while (found := look()) is None or found is False:
        waited = time.monotonic() - began
        assert waited < seconds, f"{what} didn't come within {seconds} s"
        time.sleep(min(max(waited / 10, 0.02), 0.25))
    return found
