"""What agents are sending at this moment, so that it can be cut."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


class Cut(Exception):  # noqa: N818 - what happened
    """What was under way for an agent was cut."""


class Incoming:
    """One request on its way in.

    It is cut where it waits for its sender, and nowhere else: a thread may still be at work on
    what has come, in memory that is lent for as long.
    """

    def __init__(self) -> None:
        self._is_cut = False
        self._waiting: asyncio.Timeout | None = None

    async def wait(self, receive: Callable[[], Awaitable[T]]) -> T:
        """What `receive` brings; raises Cut, at once where that happened before."""
        if self._is_cut:
            raise Cut
        self._waiting = waiting = asyncio.timeout(None)
        try:
            async with waiting:
                return await receive()
        except TimeoutError:
            if not waiting.expired():
                raise
            raise Cut from None
        finally:
            self._waiting = None

    def cut(self) -> None:
        """Ends its waiting, now and later."""
        if not self._is_cut and self._waiting is not None:
            self._waiting.reschedule(0)
        self._is_cut = True


class UnderWay:
    """The requests of one process, by agent."""

    def __init__(self) -> None:
        self._incoming: defaultdict[UUID, set[Incoming]] = defaultdict(set)

    @property
    def agents(self) -> list[UUID]:
        """Who has something under way."""
        return list(self._incoming)

    @contextmanager
    def hold(self, agent_id: UUID) -> Iterator[Incoming]:
        """One more request of an agent, while the block runs."""
        incoming = Incoming()
        self._incoming[agent_id].add(incoming)
        try:
            yield incoming
        finally:
            self._incoming[agent_id].discard(incoming)
            if not self._incoming[agent_id]:
                del self._incoming[agent_id]

    def cut(self, agent_id: UUID) -> int:
        """Cuts everything that an agent has under way; returns how much that is."""
        requests = self._incoming.get(agent_id, set())
        for incoming in requests:
            incoming.cut()
        return len(requests)
