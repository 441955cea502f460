"""A whole file on its way in, portion by portion: a slow or silent sender holds no memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO

from libs.shared.passing_files import discard, room_told

PORTION_BYTES = 8 * 1024 * 1024
_SPARED_BYTES = 1024 * 1024
"""What may lie in memory of each file: most files of scripts are small, and never see a disk."""


class Inflow:
    """A body of which the next portion comes while one is worked on; `receive` ends with None."""

    def __init__(self, receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self.is_whole = False
        self._receive = receive
        self._came_bytes = 0
        self._came = _spool()
        self._portion = _spool()
        self._left = _spool()

    def close(self) -> None:
        """Gives the room on disk back."""
        for file in (self._came, self._portion, self._left):
            discard(file)

    async def fill(self) -> None:
        """Receives until a portion is there, or all that is left."""
        pieces: list[bytes] = []
        held = 0
        while self._came_bytes < PORTION_BYTES:
            piece = await self._receive()
            if piece is None:
                self.is_whole = True
                break
            pieces.append(piece)
            held += len(piece)
            self._came_bytes += len(piece)
            if held >= _SPARED_BYTES:
                with room_told():
                    await asyncio.to_thread(self._came.writelines, pieces)
                pieces, held = [], 0
        with room_told():
            self._came.writelines(pieces)

    def take(self) -> int:
        """Makes what came the portion, and room for more; returns how long the portion is."""
        size = self._left.tell() + self._came_bytes
        discard(self._portion)
        self._portion, self._came, self._came_bytes = self._came, _spool(), 0
        return size

    def load(self, memory: memoryview) -> None:
        """Reads the portion: what was left of the one before, then what came."""
        filled = 0
        for file in (self._left, self._portion):
            with room_told():
                file.seek(0)
            while piece := file.read(_SPARED_BYTES):
                memory[filled : filled + len(piece)] = piece
                filled += len(piece)

    def keep(self, left: memoryview) -> None:
        """Keeps the end of the portion: the next one begins with it."""
        discard(self._left)
        self._left = _spool()
        with room_told():
            self._left.write(left)


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_SPARED_BYTES)
