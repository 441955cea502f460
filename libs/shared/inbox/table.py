"""All SQL of the inbox, one statement a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import bus, clock, database
from libs.shared.database import Connection, Pool, Record

KEPT = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row to be: an event that can be read, or `raw` bytes with the `error` that says why not.

    envelope: what came beside the raw bytes. refused: the code of a refusal. parked: it can be
    read, and waits for a person all the same.
    """

    event_id: UUID
    type: str
    source: str = ""
    sequence: int | None = None
    tenant_id: UUID | None = None
    payload: str = ""
    raw: bytes | None = None
    envelope: str = ""
    refused: str = ""
    parked: bool = False
    traceparent: str = ""
    occurred_at: datetime | None = None
    error: str = ""


async def insert(conn: Connection, arrivals: Sequence[Arrival], now: datetime) -> int:
    """Stores arrivals as pending, unreadable ones as parked; known ids are left as they are.

    Returns how many were new.
    """
    status = await conn.execute(
        """
        INSERT INTO inbox (event_id, source, sequence, type, tenant_id, payload, raw, envelope,
                           traceparent, occurred_at, received_at, state, next_at, error)
        SELECT event_id, source, sequence, type, tenant_id, payload, raw, envelope, traceparent,
               occurred_at, $13, CASE WHEN parked THEN 'parked' ELSE 'pending' END, $13, error
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::uuid[], $6::text[],
                    $7::bytea[], $8::text[], $9::text[], $10::timestamptz[], $11::boolean[],
                    $12::text[]) WITH ORDINALITY
             AS new (event_id, source, sequence, type, tenant_id, payload, raw, envelope,
                     traceparent, occurred_at, parked, error, place)
        ORDER BY place
        ON CONFLICT (event_id) DO NOTHING
        """,
        [arrival.event_id for arrival in arrivals],
        [arrival.source for arrival in arrivals],
        [arrival.sequence for arrival in arrivals],
        [arrival.type for arrival in arrivals],
        [arrival.tenant_id for arrival in arrivals],
        [arrival.payload for arrival in arrivals],
        [arrival.raw for arrival in arrivals],
        [arrival.envelope for arrival in arrivals],
        [arrival.traceparent for arrival in arrivals],
        [arrival.occurred_at for arrival in arrivals],
        [arrival.parked or arrival.raw is not None for arrival in arrivals],
        [arrival.error for arrival in arrivals],
        now,
    )
    return database.changed(status)


async def count_raw(conn: Connection) -> tuple[int, int]:
    """How many messages are kept as they came, and their bytes in all."""
    row = await conn.fetchrow(
        """
        SELECT count(*), coalesce(sum(octet_length(raw)), 0)::bigint FROM inbox
        WHERE state = 'parked' AND raw IS NOT NULL
        """
    )
    assert row is not None
    return row[0], row[1]


async def take(conn: Connection, now: datetime) -> Record | None:
    """Locks the next due event that no other worker holds, until the transaction ends."""
    return await conn.fetchrow(
        """
        SELECT event_id, type, tenant_id, payload, traceparent, attempts FROM inbox
        WHERE state = 'pending' AND next_at <= $1
        ORDER BY next_at, position LIMIT 1
        FOR UPDATE SKIP LOCKED
        """,
        now,
    )


async def is_erased(conn: Connection, tenant_id: UUID) -> bool:
    """Whether the tenant was erased; nobody erases it until the transaction ends."""
    return bool(
        await conn.fetchval(
            """
            SELECT is_erased($1)
            """,
            tenant_id,
        )
    )


async def mark_done(conn: Connection, event_id: UUID, now: datetime) -> None:
    """Marks an event as handled."""
    await conn.execute(
        """
        UPDATE inbox SET state = 'done', done_at = $2, error = '' WHERE event_id = $1
        """,
        event_id,
        now,
    )


async def replace_payload(conn: Connection, event_id: UUID, payload: str) -> None:
    """Puts a blanked payload in place of one that held a secret."""
    await conn.execute(
        """
        UPDATE inbox SET payload = $2 WHERE event_id = $1
        """,
        event_id,
        payload,
    )


async def postpone(
    conn: Connection, event_id: UUID, attempts: int, next_at: datetime, error: str
) -> None:
    """Leaves an event for a later try."""
    await conn.execute(
        """
        UPDATE inbox SET attempts = $2, next_at = $3, error = $4
        WHERE event_id = $1 AND state = 'pending'
        """,
        event_id,
        attempts,
        next_at,
        error,
    )


async def park(conn: Connection, event_id: UUID, attempts: int, error: str) -> None:
    """Takes an event out of the workers' way until a person looks at it."""
    await conn.execute(
        """
        UPDATE inbox SET state = 'parked', attempts = $2, error = $3
        WHERE event_id = $1 AND state = 'pending'
        """,
        event_id,
        attempts,
        error,
    )


async def bring_back(pool: Pool, now: datetime) -> None:
    """Makes due what waits for longer than any pause lasts: the clock was set back."""
    async with database.transaction(pool) as conn:
        await conn.execute(
            """
            UPDATE inbox SET next_at = $1 WHERE state = 'pending' AND next_at > $2
            """,
            now,
            now + timedelta(hours=2),
        )


async def has_arrived(pool: Pool, event_id: UUID) -> bool:
    """Whether an event is in the inbox, handled or not."""
    async with database.acquire(pool) as conn:
        return bool(
            await conn.fetchval(
                """
                SELECT 1 FROM inbox WHERE event_id = $1
                """,
                event_id,
            )
        )


async def backlog(pool: Pool) -> tuple[int, float, int]:
    """Events pending, seconds since the oldest of them came, events parked."""
    async with database.acquire(pool) as conn:
        row = await conn.fetchrow(
            """
            SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
                   min(received_at) FILTER (WHERE state = 'pending') AS oldest,
                   count(*) FILTER (WHERE state = 'parked') AS parked
            FROM inbox WHERE state IN ('pending', 'parked')
            """
        )
    assert row is not None
    age = (clock.now() - row["oldest"]).total_seconds() if row["oldest"] else 0.0
    return row["pending"], max(age, 0.0), row["parked"]


async def prune(pool: Pool) -> int:
    """Removes handled events older than the days of replay; says how many.

    What is of the transport alone goes after an hour.

    An event is remembered as long as it would be believed again: until its own time is as old.
    """
    now = clock.now()
    async with database.transaction(pool) as conn:
        status = await conn.execute(
            """
            DELETE FROM inbox WHERE event_id IN (
                SELECT event_id FROM inbox WHERE state = 'done'
                  AND (done_at < $1 OR (done_at < $2 AND type = ANY($3::text[])))
                  AND (occurred_at IS NULL OR occurred_at < $1 OR type = ANY($3::text[]))
                LIMIT 10000)
            """,
            now - KEPT,
            now - timedelta(hours=1),
            [event.type for event in bus.ADDRESSED],
        )
    return database.changed(status)


def storable(text: str) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
