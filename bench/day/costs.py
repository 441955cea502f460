"""What an installation has used so far, and what some work used of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from bench import measuring
from bench.coffre import Installation

SERVERS = ("ingest", "quota", "reporting", "retention", "portal")
LOOK_SECONDS = 1.0
SETTLED_LOOKS = 3
_NAMES = {"seaweedfs": "S3 store", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ"}
_TABLES = """
SELECT schemaname, format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
_WORK = """
SELECT (SELECT count(*) FROM reporting.mails WHERE state IN ('queued', 'sending'))
     + (SELECT count(*) FROM ingest.names_due)
     + (SELECT count(*) FROM {outbox} AS outbox WHERE published_at IS NULL)
     + (SELECT count(*) FROM {inbox} AS inbox WHERE state = 'pending')
"""


@dataclass(frozen=True)
class Used:
    """Counters of an installation, or by how much they grew.

    processor: seconds by service and server. rows: by schema. events: published, by service.
    """

    seconds: float
    processor: Mapping[str, float]
    rows: Mapping[str, int]
    events: Mapping[str, int]
    mails: int
    wal_bytes: int
    database_bytes: int

    def since(self, before: Used) -> Used:
        """What was used between two looks."""
        return Used(
            self.seconds - before.seconds,
            {name: used - before.processor[name] for name, used in self.processor.items()},
            {name: rows - before.rows.get(name, 0) for name, rows in self.rows.items()},
            {name: count - before.events[name] for name, count in self.events.items()},
            self.mails - before.mails,
            self.wal_bytes - before.wal_bytes,
            self.database_bytes - before.database_bytes,
        )

    def without_idling(self, idle: Used) -> Used:
        """The same less what the installation uses while nothing is asked of it."""
        share = self.seconds / idle.seconds
        processor = {
            name: max(0.0, used - idle.processor[name] * share)
            for name, used in self.processor.items()
        }
        wal = max(0, self.wal_bytes - round(idle.wal_bytes * share))
        return Used(
            self.seconds, processor, self.rows, self.events, self.mails, wal, self.database_bytes
        )


def look(installation: Installation) -> Used:
    """The counters as they are now."""
    processor: dict[str, float] = {}
    for name, used in installation.cpu_by_name().items():
        if name in SERVERS or name in _NAMES:
            processor[_NAMES.get(name, name)] = used
    return asyncio.run(_look(installation.described["postgres"]["dsn"], processor))


async def _look(dsn: str, processor: dict[str, float]) -> Used:
    conn = await asyncpg.connect(dsn)
    try:
        rows: dict[str, int] = {}
        for table in await conn.fetch(_TABLES):
            count = await conn.fetchval(f"SELECT count(*) FROM {table['name']}")
            rows[table["schemaname"]] = rows.get(table["schemaname"], 0) + count
        return Used(
            time.monotonic(),
            processor,
            rows,
            {
                service: await conn.fetchval(f"SELECT count(*) FROM {service}.outbox")
                for service in SERVERS
            },
            await conn.fetchval("SELECT count(*) FROM reporting.mails"),
            int(await conn.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'")),
            await conn.fetchval("SELECT pg_database_size(current_database())"),
        )
    finally:
        await conn.close()


def settle(installation: Installation, seconds: float = 300) -> None:
    """Waits until all events are handled, all names findable and all mails sent.

    Raises ProgramFailed where nothing of it moves for so many seconds.
    """
    asyncio.run(_settle(installation.described["postgres"]["dsn"], seconds))


async def _settle(dsn: str, seconds: float) -> None:
    question = _WORK.format(outbox=_union("outbox"), inbox=_union("inbox"))
    conn = await asyncpg.connect(dsn)
    deadline = time.monotonic() + seconds
    idle, least = 0, math.inf
    try:
        while idle < SETTLED_LOOKS:
            left = await conn.fetchval(question)
            if left < least:
                least, deadline = left, time.monotonic() + seconds
            idle = 0 if left else idle + 1
            if time.monotonic() > deadline:
                raise measuring.ProgramFailed(f"{left} events, names or mails are still waiting")
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await conn.close()


def _union(table: str) -> str:
    columns = "published_at" if table == "outbox" else "state"
    each = (f"SELECT {columns} FROM {service}.{table}" for service in SERVERS)
    return f"({' UNION ALL '.join(each)})"


def restart(installation: Installation, service: str) -> None:
    """Ends a service; the supervisor starts it again."""
    process = installation.processes[service]
    process.terminate()
    process.wait(60)
