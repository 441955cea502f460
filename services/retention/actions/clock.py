"""The guard of everything that forgets: is it really that late?"""

from __future__ import annotations

from datetime import datetime

from libs.shared import clock, database, logs
from libs.shared.errors import Conflict
from services.retention import rules, store
from services.retention.actions.resources import Resources


class TimeDoubtful(Conflict):
    """The time can't be believed, so nothing may be forgotten; the text says why."""


async def read_clocks(resources: Resources) -> rules.clock.Clocks:
    """Reads all clocks within a moment; raises Unavailable."""
    stored = await resources.objects.date()
    async with database.acquire(resources.pool) as conn:
        told = await store.clock.read_database_time(conn)
        seen_at = await store.clock.read_seen_at(conn)
    now = clock.now()
    return rules.clock.Clocks(now - clock.offset(), told, stored, now, seen_at)


async def check_time(resources: Resources) -> datetime:
    """Returns the time once it is seen to be believable; raises TimeDoubtful, Unavailable.

    Clocks are compared without the installation's offset: an installation at another date is
    meant, but the first time that it is so, somebody has to say so (`accept_time`).
    """
    clocks = await read_clocks(resources)
    objections = rules.clock.find_objections(clocks)
    if objections:
        raise TimeDoubtful(" ".join(objections))
    async with database.transaction(resources.pool) as conn:
        await store.clock.put_seen_at(conn, clocks.now)
    return clocks.now


async def accept_time(resources: Resources, reason: str) -> datetime:
    """Believes the time that the installation has now, because somebody says that it is right.

    Raises TimeDoubtful where the clocks of machine, database and store don't agree.
    """
    clocks = await read_clocks(resources)
    disagreements = rules.clock.find_objections(
        rules.clock.Clocks(clocks.machine, clocks.database, clocks.store, clocks.now, None)
    )
    if disagreements:
        raise TimeDoubtful(" ".join(disagreements))
    async with database.transaction(resources.pool) as conn:
        await store.clock.put_seen_at(conn, clocks.now)
        await store.clock.add_acceptance(conn, clocks.now, clocks.seen_at, reason)
    logs.get().warning("clock.accepted", now=clocks.now.isoformat(), reason=reason)
    return clocks.now
