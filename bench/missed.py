"""One turn over the plans that are watched for runs that never come: how long it takes.

`python -m bench.missed` starts its own servers, or uses those of COFFRE_TEST_SERVERS.
Prints one JSON line: the milliseconds of turns in which none of these plans is due, and of one
that looks for all that is due of them (the issue: 20,000 plans, less than a second).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.mails import RESOURCES, prepare
from devstack import lease
from libs.shared import clock, database
from services.reporting import actions, store

TURNS = 5
WATCHED = """
INSERT INTO expected (tenant_id, plan_id, schedule, timezone, watched_since, last_run,
                      expected_at, due_at)
SELECT gen_random_uuid(), gen_random_uuid(), '15 2 * * *', 'Europe/Paris', $1, 1, $2, $2
FROM generate_series(1, $3)
"""
HEARD = """
INSERT INTO inbox (event_id, source, type, received_at, state, next_at, done_at)
VALUES (gen_random_uuid(), 'reporting', 'service.pinged.v1', $1, 'done', $1, $1)
"""


async def measure(servers: dict[str, Any], plans: int) -> dict[str, Any]:
    """All of it, on a database of its own."""
    dsns = await prepare(servers, f"bench_{uuid4().hex[:8]}")
    pool = await database.create_pool(dsns["reporting"], "reporting")
    now = clock.now()
    try:
        async with database.transaction(pool) as conn:
            await conn.execute(WATCHED, now - timedelta(days=9), now + timedelta(days=1), plans)
            for minutes in range(30, -1, -1):
                heard_at = now - timedelta(minutes=minutes)
                await conn.execute(HEARD, heard_at)
                await actions.missed.note_hearing(conn, heard_at)
        turns = []
        for _ in range(TURNS):
            began = time.perf_counter()
            await actions.missed.tell_missed(pool, RESOURCES)
            turns.append(round(1000 * (time.perf_counter() - began), 1))
        async with database.acquire(pool) as conn:
            began = time.perf_counter()
            due = await store.missed.list_due(conn, now + timedelta(days=2), plans)
        looked = round(1000 * (time.perf_counter() - began), 1)
        return {"plans": plans, "turn_ms": turns, "due": len(due), "look_ms": looked}
    finally:
        await pool.close()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=20_000, help="plans that are watched")
    plans = parser.parse_args().plans
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        print(json.dumps(asyncio.run(measure(json.loads(Path(existing).read_text()), plans))))
        return
    described, held = lease.take(Path("/tmp") / f"coffre-bench-{os.getpid()}")
    with held:
        print(json.dumps(asyncio.run(measure(described, plans))))


if __name__ == "__main__":
    main()
