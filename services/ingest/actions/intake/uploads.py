"""The bodies of packs: on their way in, or built here; in memory only while they come quickly.

Memory is lent for what came, not for what was declared: first a body's first bytes, then room for
all of it as long as the rest keeps coming. What comes slowly goes to disk, and holds none.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from uuid import UUID

from libs.shared.errors import BodyTooLarge
from libs.shared.passing_files import discard, room_told
from services.ingest.actions.resources import WAIT_SECONDS, Resources

HEAD_BYTES = 256 * 1024
"""How much of a body must have come before room is made for all of it."""
GRACE_SECONDS = 1.0
QUICK_BYTES_A_SECOND = 4 * 1024 * 1024
"""What a sender must keep up, beyond a first second, as long as memory is held for its body."""


class Upload:
    """One body of at most `size_bytes`, received once; `receive` gives its pieces, then None."""

    def __init__(
        self,
        size_bytes: int,
        receive: Callable[[], Awaitable[bytes | None]],
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.size_bytes = size_bytes
        self._receive = receive
        self._grace_seconds = grace_seconds
        self._filled = 0
        self._is_whole = False
        self._head: list[bytes] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=1)  # noqa: SIM115 - closed at exit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        discard(self._file)

    @asynccontextmanager
    async def held(self, resources: Resources, tenant_id: UUID) -> AsyncIterator[memoryview]:
        """Receives the body, which stays in memory while the block runs.

        Raises ShareUsed or Unavailable where there is no room for it, NoRoom where the disk is
        full, BodyTooLarge, or what `receive` raises.
        """
        async with resources.heads.hold(tenant_id, 1, WAIT_SECONDS):
            is_quick = await self._receive_head()
            if is_quick:
                room = self._filled if self._is_whole else self.size_bytes
                async with _room(resources, tenant_id, room) as memory:
                    if await self._receive_rest(memory):
                        yield memory[: self._filled]
                        return
            else:
                with room_told():
                    await asyncio.to_thread(self._file.writelines, self._head)
            self._head.clear()
        async with resources.slow_bodies.hold(tenant_id):
            await self._receive_slowly()
            async with _room(resources, tenant_id, self._filled) as memory:
                await self._load(memory)
                yield memory

    async def discard(self) -> None:
        """Reads the body away: a client in the middle of sending hears no answer."""
        while await self._receive() is not None:
            pass

    async def _receive_head(self) -> bool:
        """Takes what comes first; False where that is slow."""
        try:
            async with asyncio.timeout(self._grace_seconds):
                while self._filled < HEAD_BYTES and (piece := await self._next()) is not None:
                    self._head.append(piece)
        except TimeoutError:
            return False
        return True

    async def _receive_rest(self, memory: memoryview) -> bool:
        """Fills the memory; False if what comes is slow, and all of it is on disk."""
        at = 0
        for first in self._head:
            memory[at : at + len(first)] = first
            at += len(first)
        self._head.clear()
        loop = asyncio.get_running_loop()
        begun, before = loop.time() + self._grace_seconds, at
        try:
            while not self._is_whole:
                patience = (self._filled - before) / QUICK_BYTES_A_SECOND
                async with asyncio.timeout_at(begun + patience):
                    piece = await self._next()
                if piece is not None:
                    memory[at : at + len(piece)] = piece
                    at += len(piece)
        except TimeoutError:
            with room_told():
                await asyncio.to_thread(self._file.write, memory[:at])
            return False
        return True

    async def _receive_slowly(self) -> None:
        """Takes the rest to disk."""
        while (piece := await self._next()) is not None:
            with room_told():
                await asyncio.to_thread(self._file.write, piece)

    async def _next(self) -> bytes | None:
        """The next piece, counted; BodyTooLarge where it is more than there may be."""
        piece = await self._receive()
        if piece is None:
            self._is_whole = True
            return None
        if self._filled + len(piece) > self.size_bytes:
            raise BodyTooLarge(self.size_bytes)
        self._filled += len(piece)
        return piece

    async def _load(self, memory: memoryview) -> None:
        """Fills the memory with the body that went to disk."""
        with room_told():
            self._file.seek(0)  # writes what was kept back
        await asyncio.to_thread(self._file.readinto, memory)


class BuiltBody:
    """The body of a pack that was built here, by somebody who holds the room for it."""

    def __init__(self, body: memoryview) -> None:
        self.size_bytes = len(body)
        self._body = body

    @asynccontextmanager
    async def held(self, _resources: Resources, _tenant_id: UUID) -> AsyncIterator[memoryview]:
        """The body, which is in memory anyway."""
        yield self._body

    async def discard(self) -> None:
        """Nothing: nobody is sending."""


@asynccontextmanager
async def _room(
    resources: Resources, tenant_id: UUID, size_bytes: int
) -> AsyncIterator[memoryview]:
    """Memory for a body, and as much set aside for its sealed form, which is there beside it."""
    async with resources.pack_memory.hold(tenant_id, 2 * size_bytes, WAIT_SECONDS):
        with resources.buffers.lend() as take:
            yield take(size_bytes)
