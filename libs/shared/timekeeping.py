"""Whether the time can be believed, before what can't be undone is decided by the date.

A clock that is wrong makes such decisions wait, and nothing else: copies and recovery go on
(docs/decisions/0030).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable

MAX_GAP = timedelta(minutes=5)
"""How far the clocks of this machine, the database and the store may lie apart."""

MAX_STEP = timedelta(days=3)
"""How long a service may have been away before somebody has to say that the date is right."""

_KEPT_EVERY = timedelta(minutes=1)

AskStore = Callable[[], Awaitable[datetime]]
"""Asks the store for its time; raises Unavailable."""


class TimeDoubtful(Unavailable):
    """The time can't be believed, so what it decides must wait; the text says why."""

    code = "time-doubtful"
    title = "The time can't be believed"

    def __init__(self, objections: list[str]) -> None:
        super().__init__("right time", retry_after_seconds=60)
        self.objections = objections

    @property
    def detail(self) -> str:
        return " ".join(self.objections)

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Clocks:
    """Times read within a moment.

    service: whose. machine, database, store: what they say without any offset of the
    installation; store is None where it wasn't asked. now, seen_at: the installation's time, and
    the last one that the service believed.
    """

    service: str
    machine: datetime
    database: datetime
    store: datetime | None
    now: datetime
    seen_at: datetime | None


def find_objections(clocks: Clocks) -> list[str]:
    """Says in words why the time can't be believed; empty where it can."""
    objections = []
    for name, told in (("database", clocks.database), ("store", clocks.store)):
        gap = clocks.machine - told if told else timedelta(0)
        if abs(gap) > MAX_GAP:
            objections.append(
                f"This machine's clock is {_describe(gap)} of the {name}'s ({told:%Y-%m-%d %H:%M})."
            )
    if clocks.seen_at is not None:
        step = clocks.now - clocks.seen_at
        if step > MAX_STEP or step < -MAX_GAP:
            objections.append(
                f"The time is {_describe(step)} of the last one that was believed"
                f" ({clocks.seen_at:%Y-%m-%d %H:%M}); if it is right, say so with"
                f" `python -m services.{clocks.service} clock --accept --reason …`."
            )
    return objections


def choose_time(clocks: Clocks) -> datetime:
    """Returns the date to write down where that can't wait, whichever clock is wrong.

    Never much before the last time that was believed; of two clocks that are not, the earlier one.
    """
    if not find_objections(clocks):
        return clocks.now
    told = clocks.now, clocks.database + (clocks.now - clocks.machine)
    if clocks.seen_at is None:
        return max(told)
    earliest = clocks.seen_at - MAX_GAP
    return min((one for one in told if one >= earliest), default=clocks.seen_at)


def _describe(gap: timedelta) -> str:
    side = "ahead" if gap > timedelta(0) else "behind"
    gap = abs(gap)
    if gap >= timedelta(days=2):
        return f"{gap.days} days {side}"
    return f"{gap.total_seconds() / 60:.0f} minutes {side}"


async def read_clocks(conn: Connection) -> Clocks:
    """Reads the clocks of the database and of this machine within a moment."""
    row = await conn.fetchrow(
        """
        SELECT current_schema(), clock_timestamp(), (SELECT seen_at FROM seen_time)
        """
    )
    assert row is not None
    now = clock.now()
    return Clocks(row[0], now - clock.offset(), row[1], None, now, row[2])


async def tell_time(conn: Connection) -> datetime:
    """Returns the time of something that happens now and can't wait."""
    return choose_time(await read_clocks(conn))


async def check_time(pool: Pool, ask_store: AskStore | None = None) -> datetime:
    """Returns the time once it is seen to be believable; raises TimeDoubtful, Unavailable.

    Clocks are compared without the installation's offset: an installation at another date is
    meant, but the first time that it is so, somebody has to say so (`accept_time`).
    """
    clocks = await _read_all(pool, ask_store)
    objections = find_objections(clocks)
    if objections:
        raise TimeDoubtful(objections)
    if clocks.seen_at is None or clocks.now - clocks.seen_at > _KEPT_EVERY:
        async with database.transaction(pool) as conn:
            await _put_seen(conn, clocks.now)
    return clocks.now


async def accept_time(pool: Pool, reason: str, ask_store: AskStore | None = None) -> datetime:
    """Believes the time that the installation has now, because somebody says that it is right.

    Raises TimeDoubtful where the clocks of machine, database and store don't agree.
    """
    clocks = await _read_all(pool, ask_store)
    disagreements = find_objections(replace(clocks, seen_at=None))
    if disagreements:
        raise TimeDoubtful(disagreements)
    async with database.transaction(pool) as conn:
        await _put_seen(conn, clocks.now)
        await conn.execute(
            """
            INSERT INTO time_acceptances (accepted_at, seen_at, reason) VALUES ($1, $2, $3)
            """,
            clocks.now,
            clocks.seen_at,
            reason,
        )
    logs.get().warning("clock.accepted", now=clocks.now.isoformat(), reason=reason)
    return clocks.now


async def _read_all(pool: Pool, ask_store: AskStore | None) -> Clocks:
    stored = await ask_store() if ask_store else None
    async with database.acquire(pool) as conn:
        return replace(await read_clocks(conn), store=stored)


async def _put_seen(conn: Connection, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO seen_time (seen_at) VALUES ($1) ON CONFLICT (one) DO UPDATE SET seen_at = $1
        """,
        now,
    )
