"""Requests at a steady rate, whatever the answers take, and what is told of their times."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx2

Ask = Callable[[], Awaitable[int]]
"""Asks once; gives the answer's status."""

_CONNECTIONS = 200


@dataclass
class Seen:
    """How long answers took, in seconds from the moment at which each was due, and their status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many answers were no page."""
        return sum(n for status, n in self.statuses.items() if status >= 300)

    def percentile(self, share: float) -> float:
        """So long, in milliseconds, that this share of answers took no longer."""
        ordered = sorted(self.seconds)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)

    def tell(self) -> dict[str, float]:
        """What is kept of it."""
        return {
            "asked": len(self.seconds),
            "p50": self.percentile(0.5),
            "p99": self.percentile(0.99),
            "failed": self.failed,
        }


def open_http(url: str) -> httpx2.AsyncClient:
    """A client that keeps no cookies, for all people of the bench."""
    limits = httpx2.Limits(max_connections=_CONNECTIONS)
    return httpx2.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False)


async def drive(asks: dict[str, Ask], a_second: float, seconds: float) -> dict[str, Seen]:
    """Asks for each kind in turn, so many a second of all together."""
    seen = {kind: Seen() for kind in asks}
    begun = time.perf_counter()

    async def once(kind: str, due: float) -> None:
        seen[kind].statuses[await asks[kind]()] += 1
        seen[kind].seconds.append(time.perf_counter() - due)

    kinds, running = list(asks), []
    for number in range(int(a_second * seconds)):
        due = begun + number / a_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(once(kinds[number % len(kinds)], due)))
    await asyncio.gather(*running)
    return seen
