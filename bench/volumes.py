"""Volume events through quota's workers, from its inbox to exact figures.

`python -m bench.volumes` starts its own servers, or uses those of COFFRE_TEST_SERVERS.
Prints one JSON line: events handled a second (goal: at least 1,000), and how many tenants' figures
differ from the events' (goal: 0). One event in ten comes twice, and some overtake others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
import uuid
from pathlib import Path
from typing import Any

import structlog
import uvloop

from devstack import lease
from libs.shared import clock, database, inbox
from libs.shared.database import Pool
from libs.shared.events import TenantChanged, VolumeChanged
from services.quota import consumers, store

TENANTS = 1_000
AGAIN = 10
"""One event in so many comes twice, under another id."""
LATE = TENANTS
"""By how many places an event may be late: it meets the next of its tenant, and nothing else."""
BATCH = 5_000
WORKERS = 4
CONTRACTED_BYTES = 10**12


def _volume(tenant: int, sequence: int) -> VolumeChanged:
    """What a tenant holds after so many changes: some pass their contract and come back."""
    stored_bytes = (tenant % 7 + 1) * 10**11 + sequence * 10**6 * (tenant % 5)
    return VolumeChanged(
        tenant_id=uuid.UUID(int=tenant + 1),
        stored_bytes=stored_bytes,
        protected_bytes=2 * stored_bytes,
        sequence=sequence,
    )


async def _contract(pool: Pool) -> None:
    for tenant in range(TENANTS):
        event = TenantChanged(
            tenant_id=uuid.UUID(int=tenant + 1),
            version=1,
            name="bench",
            locale="fr",
            timezone="Europe/Paris",
            administrators=(),
            contracted_bytes=CONTRACTED_BYTES,
            seats=1,
            subscription="active",
            retention_days=30,
        )
        async with database.transaction(pool) as conn:
            await consumers.on_tenant_changed(conn, event)


async def _fill(pool: Pool, count: int) -> int:
    """Puts the events into the inbox, as the consumer does; returns how many."""
    chance = random.Random(1)
    numbers = [*range(count), *(chance.randrange(count) for _ in range(count // AGAIN))]
    numbers.sort(key=lambda number: number + chance.uniform(0, LATE))
    now = clock.now()
    for first in range(0, len(numbers), BATCH):
        events = [_volume(n % TENANTS, n // TENANTS + 1) for n in numbers[first : first + BATCH]]
        async with database.transaction(pool) as conn:
            await conn.executemany(
                """
                INSERT INTO inbox (event_id, source, type, tenant_id, payload, received_at,
                                   state, next_at, occurred_at)
                VALUES ($1, '/services/ingest', 'volume.changed.v1', $2, $3, $4, 'pending', $4, $4)
                """,
                [(uuid.uuid4(), one.tenant_id, one.model_dump_json(), now) for one in events],
            )
    async with database.acquire(pool) as conn:
        await conn.execute("ANALYZE inbox")
    return len(numbers)


async def _handle(pool: Pool, count: int) -> float:
    """Lets the workers handle all that is pending; returns events a second."""
    workers = inbox.Workers("quota", pool, consumers.HANDLERS, count=WORKERS)
    began = time.perf_counter()

    async def work() -> None:
        while await workers.work_one():
            pass

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return count / (time.perf_counter() - began)


async def _count_wrong(pool: Pool, count: int) -> int:
    """How many tenants' figures are not those of their newest event."""
    wrong = 0
    for tenant in range(TENANTS):
        newest = _volume(tenant, (count - 1 - tenant) // TENANTS + 1)
        async with database.transaction(pool) as conn:
            account = await store.accounts.lock(conn, newest.tenant_id)
        is_right = (
            account is not None
            and account.stored_bytes == newest.stored_bytes
            and (account.level_percent == 100) == (newest.stored_bytes > CONTRACTED_BYTES)
        )
        wrong += not is_right
    return wrong


async def measure(servers: dict[str, Any], count: int) -> dict[str, float]:
    """On a database of its own."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    await database.bootstrap(
        servers["postgres_admin_dsn"], name, {role: role for role in database.ROLES}
    )
    address = f"127.0.0.1:{servers['postgres_port']}/{name}"
    await database.migrate(f"postgresql://coffre_owner:coffre_owner@{address}", "quota")
    pool = await database.create_pool(
        f"postgresql://coffre_quota:coffre_quota@{address}", "quota", max_size=WORKERS
    )
    try:
        await _contract(pool)
        events = await _fill(pool, count)
        rate = await _handle(pool, events)
        return {
            "events": events,
            "events_per_second": round(rate),
            "tenants": TENANTS,
            "tenants_wrong": await _count_wrong(pool, count),
        }
    finally:
        await pool.close()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="events, without repetitions")
    count = max(parser.parse_args().count, TENANTS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        print(json.dumps(uvloop.run(measure(json.loads(Path(existing).read_text()), count))))
        return
    folder = Path("/tmp") / f"coffre-bench-{os.getpid()}"
    described, held = lease.take(folder)
    with held:
        print(json.dumps(uvloop.run(measure(described, count))))


if __name__ == "__main__":
    main()
