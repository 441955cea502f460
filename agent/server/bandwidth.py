"""Sending no faster than the configuration allows, whatever the hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from agent.config import Bandwidth

PIECE_SECONDS = 0.25
LEAST_PIECE_BYTES = 512
LARGEST_PIECE_BYTES = 256 * 1024
UNLIMITED_PIECE_BYTES = 1024 * 1024
BURST_SECONDS = 1.0


def _local_time() -> datetime:
    return datetime.now().astimezone()


class Throttle:
    """One allowance for all threads that send; each sleeps until its piece's turn has come.

    The limit is looked up for every piece, so that new hours hold within a second or so.
    """

    def __init__(
        self, bandwidth: Bandwidth, local_time: Callable[[], datetime] = _local_time
    ) -> None:
        self._bandwidth = bandwidth
        self._local_time = local_time
        self._lock = threading.Lock()
        self._free_at = 0.0

    @property
    def is_needed(self) -> bool:
        """Can there ever be a limit?"""
        return self._bandwidth != Bandwidth()

    def pieces(self, body: bytes | memoryview) -> Iterator[memoryview]:
        """A body in pieces, each yielded when it may be sent."""
        view = memoryview(body)
        at = 0
        while at < len(view):
            limit = self._bandwidth.limit_at(self._local_time())
            if limit is None:
                size = UNLIMITED_PIECE_BYTES
            else:
                size = min(max(int(limit * PIECE_SECONDS), LEAST_PIECE_BYTES), LARGEST_PIECE_BYTES)
                size = min(size, len(view) - at)
                self._wait_for_turn(size / limit)
            yield view[at : at + size]
            at += size

    def _wait_for_turn(self, seconds: float) -> None:
        """Take so many seconds of the line, after those who took theirs before."""
        with self._lock:
            now = time.monotonic()
            turn = max(now - BURST_SECONDS, self._free_at)
            self._free_at = turn + seconds
        if (delay := turn + seconds - now) > 0:
            time.sleep(delay)
