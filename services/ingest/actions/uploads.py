"""A body on its way in: in memory while it comes quickly, on disk while it does not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from libs.shared.errors import BodyTooLarge

QUICK_SECONDS = 4.0
"""How long a sender may take while memory is held for its body."""


class Upload:
    """One body of at most `size_bytes`, received once; `receive` gives its pieces, then None.

    Slow senders must not keep memory from the quick ones: what takes too long goes on to disk,
    and comes back to memory when it is whole.
    """

    def __init__(self, size_bytes: int, receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self.size_bytes = size_bytes
        self._receive = receive
        self._filled = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=1)  # noqa: SIM115 - closed at exit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._file.close()

    async def receive_quickly(self, memory: memoryview) -> int | None:
        """Fills the memory; returns the body's bytes, or None if slow: then `receive_slowly`."""
        try:
            async with asyncio.timeout(QUICK_SECONDS):
                while (piece := await self._receive()) is not None:
                    self._check_room(len(piece))
                    memory[self._filled : self._filled + len(piece)] = piece
                    self._filled += len(piece)
        except TimeoutError:
            await asyncio.to_thread(self._file.write, memory[: self._filled])
            return None
        return self._filled

    async def receive_slowly(self) -> None:
        """Takes the rest to disk."""
        while (piece := await self._receive()) is not None:
            self._check_room(len(piece))
            await asyncio.to_thread(self._file.write, piece)
            self._filled += len(piece)

    async def load(self, memory: memoryview) -> int:
        """Fills the memory with the body that went to disk; returns its bytes."""
        self._file.seek(0)
        await asyncio.to_thread(self._file.readinto, memory[: self._filled])
        return self._filled

    async def discard(self) -> None:
        """Reads the body away: a client in the middle of sending hears no answer."""
        while await self._receive() is not None:
            pass

    def _check_room(self, more_bytes: int) -> None:
        if self._filled + more_bytes > self.size_bytes:
            raise BodyTooLarge(self.size_bytes)
