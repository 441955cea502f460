"""The bodies of packs: on their way in, or built here; in memory only while that is quick."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from libs.shared.errors import BodyTooLarge
from services.ingest.actions.resources import PACK_WAIT_SECONDS, Resources

QUICK_SECONDS = 4.0
"""How long a sender may take while memory is held for its body."""


class Upload:
    """One body of at most `size_bytes`, received once; `receive` gives its pieces, then None.

    Slow senders must not keep memory from the quick ones: what takes too long goes on to disk,
    and comes back to memory when it is whole.
    """

    def __init__(
        self,
        size_bytes: int,
        receive: Callable[[], Awaitable[bytes | None]],
        quick_seconds: float = QUICK_SECONDS,
    ) -> None:
        self.size_bytes = size_bytes
        self._receive = receive
        self._quick_seconds = quick_seconds
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

    @asynccontextmanager
    async def held(self, resources: Resources) -> AsyncIterator[memoryview]:
        """Receives the body, which stays in memory while the block runs.

        Raises Unavailable where there is no room for it, BodyTooLarge, or what `receive` raises.
        """
        async with _room(resources, self.size_bytes) as memory:
            if await self._receive_quickly(memory):
                yield memory[: self._filled]
                return
        await self._receive_slowly()
        async with _room(resources, self.size_bytes) as memory:
            await self._load(memory)
            yield memory[: self._filled]

    async def discard(self) -> None:
        """Reads the body away: a client in the middle of sending hears no answer."""
        while await self._receive() is not None:
            pass

    async def _receive_quickly(self, memory: memoryview) -> bool:
        """Fills the memory; False if that is slow, and what has come is on disk."""
        try:
            async with asyncio.timeout(self._quick_seconds):
                while (piece := await self._receive()) is not None:
                    self._check_room(len(piece))
                    memory[self._filled : self._filled + len(piece)] = piece
                    self._filled += len(piece)
        except TimeoutError:
            await asyncio.to_thread(self._file.write, memory[: self._filled])
            return False
        return True

    async def _receive_slowly(self) -> None:
        """Takes the rest to disk."""
        while (piece := await self._receive()) is not None:
            self._check_room(len(piece))
            await asyncio.to_thread(self._file.write, piece)
            self._filled += len(piece)

    async def _load(self, memory: memoryview) -> None:
        """Fills the memory with the body that went to disk."""
        self._file.seek(0)
        await asyncio.to_thread(self._file.readinto, memory[: self._filled])

    def _check_room(self, more_bytes: int) -> None:
        if self._filled + more_bytes > self.size_bytes:
            raise BodyTooLarge(self.size_bytes)


class BuiltBody:
    """The body of a pack that was built here, by somebody who holds the room for it."""

    def __init__(self, body: memoryview) -> None:
        self.size_bytes = len(body)
        self._body = body

    @asynccontextmanager
    async def held(self, _ingest: Resources) -> AsyncIterator[memoryview]:
        """The body, which is in memory anyway."""
        yield self._body

    async def discard(self) -> None:
        """Nothing: nobody is sending."""


@asynccontextmanager
async def _room(resources: Resources, size_bytes: int) -> AsyncIterator[memoryview]:
    """Memory for a body, and as much set aside for its sealed form, which is there beside it."""
    async with resources.pack_memory.hold(2 * size_bytes, PACK_WAIT_SECONDS):
        with resources.buffers.lend() as take:
            yield take(size_bytes)
