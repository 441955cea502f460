"""Whose turn it is where few can work at once: those who wait are served source by source."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Turns:
    """Lets some work at once; a source that asks often waits for itself, and not the others.

    Whoever is known has the next turn. How many may wait is bounded elsewhere.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._known = _Line()
        self._strangers = _Line()

    @asynccontextmanager
    async def take(self, source: str, *, is_known: bool = False) -> AsyncIterator[None]:
        """Waits for a turn, and has it as long as this lasts."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._known if is_known else self._strangers, source)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, line: _Line, source: str) -> None:
        turn = line.join(source)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on()  # it came at the very moment that nobody wanted it any more
            else:
                line.leave(source, turn)
            raise

    def _pass_on(self) -> None:
        turn = self._known.find_next() or self._strangers.find_next()
        if turn is None:
            self._free += 1
        else:
            turn.set_result(None)


class _Line:
    """Who waits, by source; the sources take turns."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def join(self, source: str) -> asyncio.Future[None]:
        """Waits behind those of the same source."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sources.setdefault(source, deque()).append(turn)
        return turn

    def leave(self, source: str, turn: asyncio.Future[None]) -> None:
        """Waits no longer."""
        with suppress(KeyError, ValueError):
            self._sources[source].remove(turn)
            if not self._sources[source]:
                del self._sources[source]

    def find_next(self) -> asyncio.Future[None] | None:
        """Whose turn it is: the first of the source that waits longest for one."""
        while self._sources:
            source, turns = self._sources.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._sources[source] = turns
            if not turn.done():
                return turn
        return None
