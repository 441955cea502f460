"""The database at a service's start: waited for until it is there, ours alone, and new enough."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from libs.shared import database, logs, outbox
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.signatures import Senders

_SAY_UNREACHED = (
    "PostgreSQL does not answer ({}): see that it runs where COFFRE_DATABASE_URL says, and that"
    " nothing stands between."
)
_SAY_NEWER = (
    "The database was prepared for a newer version, which brought {}: install that one. This"
    " version goes on meanwhile, for a database stays good for the version before."
)
_SAY_SHARED = (
    "Another installation's {} works on this database, its key isn't among ours: give each"
    " installation a database of its own (COFFRE_DATABASE_URL). If it is ours, its key was changed"
    " without telling us (COFFRE_EVENT_SENDERS_DIR)."
)


async def open_pool(
    service: str, dsn: str, size: int, senders: Senders, stop: asyncio.Event
) -> Pool:
    """Waits for PostgreSQL, its roles and its schemas, saying what for.

    Raises SystemExit where `stop` is set meanwhile.
    """
    tries = 0
    while True:
        try:
            pool, newer = await _open(service, dsn, size, senders)
        except (Unavailable, database.NotReady) as trouble:
            tries += 1
            if tries == 1 or tries % 15 == 0:
                why = database.reason(trouble)
                if isinstance(trouble, Unavailable):
                    why = _SAY_UNREACHED.format(why)
                logs.get().warning("database.awaited", why=why)
        else:
            if newer:
                logs.get().warning("database.newer", why=_SAY_NEWER.format(newer[0]))
            return pool
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await stop.wait()
        if stop.is_set():
            raise SystemExit(0)


async def _open(service: str, dsn: str, size: int, senders: Senders) -> tuple[Pool, list[str]]:
    """A pool, with the migrations that only a newer version knows; none where some lack."""
    pool = await database.create_pool(dsn, service, max_size=size)
    try:
        await _check_alone(pool, service, senders)
        return pool, await database.check_migrated(pool, service)
    except BaseException:
        pool.terminate()  # the wait may be long, and the server has only so many connections
        raise


async def _check_alone(pool: Pool, service: str, senders: Senders) -> None:
    if await outbox.find_relays(pool, service) - senders.marks(service):
        raise database.NotReady(_SAY_SHARED.format(service))
