"""Signs of life of a process's own loops: silence at work is a loop that is stuck.

What a loop waits for tells nothing of it: a server that is away answers late or with an error, and
each of these ends in seconds. So a sign is given with every use of the database and every request
to the store that ended, well or not, and a loop that has no work rests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta

from libs.shared import logs

LONGEST_SILENCE = timedelta(hours=3)
"""Beyond any transaction: over a tree of millions one statement may take an hour."""

SHORT_SILENCE = timedelta(minutes=10)
"""Of loops that do nothing long: beyond what a server may take to answer or to fail."""


class Heartbeat:
    """Of one loop: whether it is at work, and since when it has been silent."""

    def __init__(self, loop: str, longest: timedelta = LONGEST_SILENCE) -> None:
        self.loop = loop
        self._longest_seconds = longest.total_seconds()
        self._last: float | None = None
        self._is_told = False
        self._parts: set[Heartbeat] = set()

    def beat(self) -> None:
        """Gives a sign of life."""
        if self._last is not None:
            self._last = time.monotonic()
            self._is_told = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """At work: what is done inside gives signs of life for this loop (`beat`)."""
        before = _CURRENT.set(self)
        self._last = time.monotonic()
        self._is_told = False
        try:
            yield
        finally:
            self._last = None
            _CURRENT.reset(before)

    @contextmanager
    def part(self) -> Iterator[None]:
        """One of several tasks that do this loop's work: the others' signs don't stand for it."""
        part = Heartbeat(self.loop, timedelta(seconds=self._longest_seconds))
        self._parts.add(part)
        try:
            with part.working():
                yield
        finally:
            self._parts.discard(part)

    def is_silent(self) -> bool:
        """Has it been at work without a sign for longer than it may? The log hears so once."""
        if [part for part in self._parts if part.is_silent()]:
            return True
        if self._last is None:
            return False
        silent_seconds = time.monotonic() - self._last
        if silent_seconds <= self._longest_seconds:
            return False
        if not self._is_told:
            logs.get().error("loop.silent", loop=self.loop, seconds=round(silent_seconds))
            self._is_told = True
        return True


_CURRENT: ContextVar[Heartbeat | None] = ContextVar("heartbeat", default=None)


def beat() -> None:
    """Gives a sign of life of the loop that runs this, if one does."""
    if (current := _CURRENT.get()) is not None:
        current.beat()


@contextmanager
def part() -> Iterator[None]:
    """A task of its own that the loop has beside others; for all that is done inside."""
    with current.part() if (current := _CURRENT.get()) is not None else nullcontext():
        yield
