"""A body that arrives on the event loop, read like a file by a thread that cuts it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Inflow:
    """A thread's way to the loop that it was made on; `receive` gives pieces, then None.

    Nothing is kept but the piece that is being read: who sends faster than it is read waits.
    """

    def __init__(self, receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._piece = memoryview(b"")
        self._asked: concurrent.futures.Future[Any] | None = None
        self._closed = threading.Event()
        self._is_whole = False

    def ask(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """Runs a coroutine on the loop and waits for what it returns or raises."""
        self.pause(0)
        asked = asyncio.run_coroutine_threadsafe(function(*arguments), self._loop)
        self._asked = asked
        if self._closed.is_set():
            asked.cancel()
        return asked.result()

    def pause(self, seconds: float) -> None:
        """Lets time pass; CancelledError where the inflow is closed."""
        if self._closed.wait(seconds):
            raise concurrent.futures.CancelledError

    def readinto(self, buffer: memoryview, /) -> int:
        """Fills a part of the buffer; 0 at the end."""
        while not self._piece and not self._is_whole:
            piece = self.ask(self._next)
            self._is_whole = piece is None
            self._piece = memoryview(piece or b"")
        count = min(len(self._piece), len(buffer))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """Lets a thread that waits for the loop end, with CancelledError."""
        self._closed.set()
        if self._asked is not None:
            self._asked.cancel()

    async def _next(self) -> bytes | None:
        return await self._receive()
