"""A whole file on its way in, portion by portion: a slow or silent sender holds no memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

PORTION_BYTES = 8 * 1024 * 1024
_SPARED_BYTES = 256 * 1024
"""What may lie in memory of each file: most files of scripts are small, and never see a disk."""


class Inflow:
    """A body of which the next portion is waited for; `receive` gives pieces, then None."""

    def __init__(self, receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self.waiting_bytes = 0
        self.is_whole = False
        self._receive = receive
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPARED_BYTES)  # noqa: SIM115 - closed at exit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._file.close()

    async def fill(self) -> None:
        """Receives until a portion is there, or all that is left."""
        pieces: list[bytes] = []
        held = 0
        while self.waiting_bytes < PORTION_BYTES:
            piece = await self._receive()
            if piece is None:
                self.is_whole = True
                break
            pieces.append(piece)
            held += len(piece)
            self.waiting_bytes += len(piece)
            if held >= _SPARED_BYTES:
                await asyncio.to_thread(self._file.writelines, pieces)
                pieces, held = [], 0
        self._file.writelines(pieces)

    def load(self, memory: memoryview) -> None:
        """Reads what is there: `waiting_bytes` of it."""
        self._file.seek(0)
        filled = 0
        while filled < len(memory):
            piece = self._file.read(_SPARED_BYTES)
            memory[filled : filled + len(piece)] = piece
            filled += len(piece)

    def keep(self, left: memoryview) -> None:
        """Puts the end of what was loaded back: the next portion begins with it."""
        self._file.close()
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPARED_BYTES)  # noqa: SIM115 - closed at exit
        self._file.write(left)
        self.waiting_bytes = len(left)
