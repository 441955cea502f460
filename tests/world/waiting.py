"""Patience: looks again and again until there is something, the less often the longer it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sized
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
    """What `look` finds, once that is something; fails naming what never came.

    Nothing are None, False and what is empty; 0 is a figure.
    """
    began = time.monotonic()
    while _is_nothing(found := look()):
        waited = time.monotonic() - began
        assert waited < seconds, f"{what} didn't come within {seconds} s"
        time.sleep(min(max(waited / 10, 0.02), 0.25))
    assert found is not None
    return found


def _is_nothing(found: object) -> bool:
    return found is None or found is False or (isinstance(found, Sized) and len(found) == 0)
