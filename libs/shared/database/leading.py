"""Work that one process of an installation does at a time: whoever's session holds the lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

from libs.shared.database.connections import Connection, connect, outages_translated

STANDBY_SECONDS = 1.0
WATCH_SECONDS = 1.0
ANSWER_SECONDS = 10.0
"""How long PostgreSQL's answer is waited for on a session that leads: where the way to it is cut,
it gives the lock away once its keepalives tell it so, 25 seconds later (`_SESSION`)."""
# Whoever lost the lead, and not by leaving it, notices within a moment and then ends its turn.
HANDOVER_SECONDS = 1.0


@asynccontextmanager
async def leading(dsn: str, service: str, work: str, mark: str = "") -> AsyncIterator[Connection]:
    """Waits until no other process does this work of the service; gives the session that says so.

    mark: stands behind its name in PostgreSQL, and tells those who lead or wait from each other.
    The lead lasts as long as the session: `watch_lead`, or any other question on it, tells when
    it is lost.
    Raises Unavailable where PostgreSQL goes away, inside as well.
    """
    session = await connect(dsn, service, name=f"{service}-{work}" + (mark and f"-{mark}"))
    try:
        with outages_translated():
            await _lock(session, f"coffre/{service}/{work}")
            yield session
    finally:
        await _close(session)


async def watch_lead(session: Connection) -> NoReturn:
    """Raises Unavailable once the session is gone: somebody else may lead from now on.

    And where it is silent for long: it may be gone without a word.
    """
    gone = asyncio.Event()
    session.add_termination_listener(lambda _: gone.set())
    while True:
        with outages_translated():
            await session.execute("SELECT 1", timeout=ANSWER_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await gone.wait()


async def _lock(session: Connection, name: str) -> None:
    """Asks again and again: a wait inside PostgreSQL would not show that the connection is gone.

    A lead that somebody else had is taken up a moment later: PostgreSQL gives away the lock of
    a session that broke before its process knows, and the turn under way there takes its time
    to end.
    """
    had_by_another = False
    while not await session.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name):
        had_by_another = True
        await asyncio.sleep(STANDBY_SECONDS)
    if had_by_another:
        await asyncio.sleep(HANDOVER_SECONDS)


async def _close(session: Connection) -> None:
    """Closes without waiting for a server that no longer answers."""
    try:
        with suppress(Exception):
            await session.close(timeout=2)
    finally:
        session.terminate()
