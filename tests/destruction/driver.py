"""Retention's turns in a process of its own, which a crash point may end: its place on argv."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime

from libs.shared import database, keys
from libs.shared.certificates import Notary
from libs.shared.objects import ObjectStore
from services.retention import actions, store
from services.retention.actions.resources import Resources


async def main(dsn: str, s3: list[str], master_key: str, now: str) -> None:
    """Goes on with whatever is due, until there is nothing to be done now."""
    pool = await database.create_pool(dsn, "retention", max_size=6)
    objects = ObjectStore.in_s3(*s3)
    keeper = Resources(
        pool, objects, keys.KeyRing(objects, bytes.fromhex(master_key)), notary=Notary(bytes(32))
    )
    at, done = datetime.fromisoformat(now), 1
    while done:
        async with database.acquire(pool) as conn:
            due = await store.destruction.days.list_due(conn, at)
        done = 0
        for one in due:
            done += await actions.destruction.advancing.advance(keeper, one, at)


if __name__ == "__main__":
    asyncio.run(main(*json.loads(sys.argv[1])))
