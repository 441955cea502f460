"""What clients share, so that none can take it all: each has a share, who holds least comes first.

One rule for memory, threads, connections and places in a line: amounts of something are held for
somebody, never more than `most` for one, never more than `total` in all. Who has to wait waits
behind its own, and not behind another's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import NamedTuple

from prometheus_client import Counter

from libs.shared.errors import ShareUsed, Unavailable

_REFUSED = Counter("coffre_shares_refused", "Requests whose client had used its share", ["what"])

_BUSY_SECONDS = 10
_KNOWN = 10_000


class _Turn(NamedTuple):
    amount: int
    number: int
    granted: asyncio.Future[None]


class Shares:
    """An amount of something that clients share; what: its name, for people who had to wait.

    total: None where nothing but each one's own share is bounded. line: how many of one may wait;
    one more is told so after a while, for who does not listen to that asks again at once.
    """

    def __init__(
        self,
        what: str,
        *,
        most: int,
        total: int | None = None,
        line: int | None = None,
        told_after_seconds: float = 1.0,
    ) -> None:
        self.what = what
        _REFUSED.labels(what)
        self.most = most if total is None else min(most, total)
        self.free = total
        self._line = line
        self._told_after_seconds = told_after_seconds
        self._held: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[_Turn]] = {}
        self._count = 0

    def held_by(self, who: Hashable) -> int:
        """How much of it somebody holds."""
        return self._held.get(who, 0)

    @asynccontextmanager
    async def hold(
        self, who: Hashable, amount: int = 1, wait_seconds: float | None = None
    ) -> AsyncIterator[None]:
        """Holds that much for somebody while the block runs, and never more than a share.

        wait_seconds: None waits as long as it takes. Raises ShareUsed where what somebody waited
        for was its own, Unavailable where others held it.
        """
        amount = min(amount, self.most)
        if self._waiting or not self._fits(who, amount):
            await self._wait(who, amount, wait_seconds)
        else:
            self._grant(who, amount)
        try:
            yield
        finally:
            self._give(who, amount)

    async def _wait(self, who: Hashable, amount: int, wait_seconds: float | None) -> None:
        line = self._waiting.get(who, ())
        if self._line is not None and len(line) >= self._line:
            await asyncio.sleep(self._told_after_seconds)
            raise self._refusal(who)
        self._count += 1
        turn = _Turn(amount, self._count, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(who, deque()).append(turn)
        self._serve()
        try:
            async with asyncio.timeout(wait_seconds):
                await turn.granted
        except BaseException as error:
            if turn.granted.done() and not turn.granted.cancelled():
                self._give(who, amount)
            else:
                self._leave(who, turn)
            if isinstance(error, TimeoutError):
                raise self._refusal(who) from None
            raise

    def _refusal(self, who: Hashable) -> ShareUsed | Unavailable:
        if not self._held.get(who):
            return Unavailable(f"{self.what}, which is busy,", _BUSY_SECONDS)
        _REFUSED.labels(self.what).inc()
        return ShareUsed(self.what, _BUSY_SECONDS)

    def _fits(self, who: Hashable, amount: int) -> bool:
        is_free = self.free is None or amount <= self.free
        return is_free and self._fits_share(who, amount)

    def _fits_share(self, who: Hashable, amount: int) -> bool:
        return self._held.get(who, 0) + amount <= self.most

    def _grant(self, who: Hashable, amount: int) -> None:
        self._held[who] = self._held.get(who, 0) + amount
        if self.free is not None:
            self.free -= amount

    def _give(self, who: Hashable, amount: int) -> None:
        left = self._held[who] - amount
        if left:
            self._held[who] = left
        else:
            del self._held[who]
        if self.free is not None:
            self.free += amount
        self._serve()

    def _leave(self, who: Hashable, turn: _Turn) -> None:
        line = self._waiting.get(who)
        if line and turn in line:  # else it was passed over, as it was given up already
            line.remove(turn)
            if not line:
                del self._waiting[who]
        self._serve()

    def _serve(self) -> None:
        """Gives turns away while they fit; a large one is not passed by those that came later."""
        while able := [
            (self._held.get(who, 0), line[0].number, who)
            for who, line in self._waiting.items()
            if self._fits_share(who, line[0].amount)
        ]:
            _, _, who = min(able, key=lambda one: one[:2])
            line = self._waiting[who]
            if not self._fits(who, line[0].amount):
                return
            turn = line.popleft()
            if not line:
                del self._waiting[who]
            if not turn.granted.cancelled():
                self._grant(who, turn.amount)
                turn.granted.set_result(None)


class Pace:
    """How often somebody may begin something; whoever is ahead waits for the moment to come.

    burst: how many at once after a rest.
    """

    def __init__(self, per_second: float, *, burst: int) -> None:
        self._pause = 1 / per_second
        self._ahead = burst / per_second
        self._due: dict[Hashable, float] = {}

    async def wait(self, who: Hashable) -> None:
        """Returns when it is somebody's turn; each call counts."""
        now = asyncio.get_running_loop().time()
        if len(self._due) > _KNOWN:
            self._due = {one: due for one, due in self._due.items() if due > now - self._ahead}
        due = max(self._due.get(who, 0.0), now - self._ahead)
        self._due[who] = due + self._pause
        if due > now:
            await asyncio.sleep(due - now)
