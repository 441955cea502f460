"""The real reporting process, fed over the real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.world.forks import Forked
from tests.world.house import House


class Reporting(House):
    """Starts the service's process, sends it events, and reads what it wrote."""

    @contextmanager
    def running(self, crashpoint: str = "") -> Iterator[Forked]:
        """The process for as long as this lasts, or it does."""
        process = self.launch("reporting", COFFRE_CRASHPOINT=crashpoint)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
