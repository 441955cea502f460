"""The outbox: events are rows of the transaction that causes them; one relay publishes them.

The relay signs what it publishes, so that an event is signed with the key of the day it goes out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import Gauge

from libs.shared import bus, clock, database, logs, tracing
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection, Pool, Record
from libs.shared.errors import Unavailable
from libs.shared.events import Event
from libs.shared.heartbeats import SHORT_SILENCE, Heartbeat
from libs.shared.signatures import MOST_TOGETHER, Signer, outgoing

BATCH = 500
POLL_SECONDS = 1.0
KEPT = timedelta(days=35)
_WATCH_SECONDS = 15.0

_QUEUED = Gauge("coffre_queue_messages", "Messages ready in the service's queue of the broker")
_UNROUTED = Gauge("coffre_events_unrouted", "Events caught because no queue wants them")


async def add(conn: Connection, event: Event, *, blank: Sequence[str] | None = None) -> UUID:
    """Writes an event into the outbox of the transaction's service and returns the event's id.

    Members named in `blank` (by default the event's `secrets`) are emptied once its readers have
    it (`receipts`).
    """
    [event_id] = await add_all(conn, [event], blank=blank)
    return event_id


async def add_all(
    conn: Connection, events: Sequence[Event], *, blank: Sequence[str] | None = None
) -> list[UUID]:
    """Writes many events with one statement; they are published in the order given."""
    ids = [uuid4() for _ in events]
    await conn.execute(
        """
        WITH added AS (
            INSERT INTO outbox (event_id, type, routing_key, tenant_id, payload, blank,
                                traceparent, occurred_at)
            SELECT event_id, type, routing_key, tenant_id, payload, string_to_array(blank, ','),
                   $7, $8
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[])
                 WITH ORDINALITY
                 AS new (event_id, type, routing_key, tenant_id, payload, blank, place)
            ORDER BY place
        )
        SELECT pg_notify('outbox_' || current_schema(), '')
        """,
        ids,
        [event.type for event in events],
        [bus.routing_key(event) for event in events],
        [event.tenant_id for event in events],
        [event.model_dump_json() for event in events],
        [",".join(event.secrets if blank is None else blank) for event in events],
        logs.traceparent.get(),
        clock.now(),
    )
    return ids


async def find_relays(pool: Pool, service: str) -> set[str]:
    """The marks of all who publish this outbox, or wait for it: those that one signer gives."""
    begun = f"coffre-{service}-relay-"
    async with database.acquire(pool) as conn:
        rows = await conn.fetch(
            """
            SELECT application_name FROM pg_stat_activity
             WHERE datname = current_database() AND starts_with(application_name, $1)
            """,
            begun,
        )
    return {row["application_name"].removeprefix(begun) for row in rows}


class Relay:
    """Publishes a service's outbox while this process leads in it (`database.leading`).

    `run` never ends by itself: a lost database or broker means a pause and another try.
    """

    def __init__(self, service: str, dsn: str, amqp_url: str, signer: Signer) -> None:
        self.service = service
        self._signer = signer
        self.active = False
        self.heartbeat = Heartbeat("relay", SHORT_SILENCE)
        self.progress_at = time.monotonic()
        self._dsn = dsn
        self._amqp_url = amqp_url
        self._hint = asyncio.Event()
        self._retries = bus.Retries("relay.interrupted")

    async def run(self) -> None:
        """Publishes until cancelled."""
        while True:
            try:
                await self._lead()
            except (Unavailable, bus.BusDown) as trouble:
                await self._retries.wait(trouble)

    async def _lead(self) -> None:
        """Waits for the lead on a session of its own, then publishes until that is lost."""
        mark = self._signer.mark
        async with database.leading(self._dsn, self.service, "relay", mark) as session:
            await session.add_listener(f"outbox_{self.service}", lambda *_: self._hint.set())
            async with bus.publisher(self._amqp_url, self.service) as publisher:
                self.active = True
                try:
                    with self.heartbeat.working():
                        await self._publish_for_ever(session, publisher)
                finally:
                    self.active = False

    async def _publish_for_ever(self, connection: Connection, publisher: bus.Publisher) -> None:
        watch_at = 0.0
        while True:
            self.heartbeat.beat()
            self._hint.clear()
            publisher.check()
            if time.monotonic() >= watch_at:
                await _watch_queues(publisher, self.service)
                watch_at = time.monotonic() + _WATCH_SECONDS
            sent = await self._publish_batch(connection, publisher)
            self._retries.reset()
            if sent < BATCH:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._hint.wait()

    async def _publish_batch(self, connection: Connection, publisher: bus.Publisher) -> int:
        """Numbers, publishes and marks up to BATCH rows; returns how many were confirmed.

        The database is asked first: if the lock went with its connection, nothing is published.
        """
        rows = await _numbered(connection)
        if not rows:
            return 0
        crashpoint("outbox.before_publish")
        came = [row["traceparent"] for row in rows]
        with tracing.spans("publish", "producer", came) as traceparents:
            messages = await asyncio.to_thread(_signed_messages, self._signer, rows, traceparents)
            results = await publisher.publish(messages)
        crashpoint("outbox.after_publish")
        confirmed = [row for row, error in zip(rows, results, strict=True) if error is None]
        if confirmed:
            await _mark(connection, confirmed)
            self.progress_at = time.monotonic()
        failed = [error for error in results if error is not None]
        if failed:
            raise failed[0]
        return len(confirmed)


async def _watch_queues(publisher: bus.Publisher, service: str) -> None:
    """Looks into the service's own queue, and into the one that nobody reads.

    It says so while events lie in that one: the topology table lacks a line.
    """
    _QUEUED.set(await publisher.waiting(bus.queue_of(service)))
    unrouted = await publisher.waiting(bus.UNROUTED)
    _UNROUTED.set(unrouted)
    if unrouted:
        logs.get().error("event.unrouted", count=unrouted, queue=bus.UNROUTED)


async def _numbered(connection: Connection) -> list[Record]:
    """Unpublished rows in the order of their numbers; new numbers are committed here.

    None is given while one that was given is not yet out: a transaction that began earlier and
    committed later must not overtake. The counter's row is locked before the rows are looked at,
    so that two relays that both believe themselves active can't give two numbers to one row.
    """
    rows = await _unpublished(connection)
    numbered = _in_order(rows)
    if numbered or not rows:
        return numbered
    async with connection.transaction():
        last = await connection.fetchval(
            """
            SELECT last_sequence FROM outbox_counter FOR UPDATE
            """,
        )
        given = await connection.fetchval(
            """
            WITH fresh AS (
                SELECT event_id, row_number() OVER (ORDER BY position) AS place
                FROM (SELECT event_id, position FROM outbox
                      WHERE published_at IS NULL AND sequence IS NULL
                      ORDER BY position LIMIT $2) AS oldest
            ), numbered AS (
                UPDATE outbox SET sequence = $1 + fresh.place
                FROM fresh WHERE outbox.event_id = fresh.event_id
                RETURNING 1
            )
            SELECT count(*) FROM numbered
            """,
            last,
            BATCH,
        )
        await connection.execute(
            """
            UPDATE outbox_counter SET last_sequence = $1
            """,
            last + given,
        )
    # A row committed since has no number yet, and waits for the next batch.
    return _in_order(await _unpublished(connection))


def _in_order(rows: Sequence[Record]) -> list[Record]:
    """Those of the rows that have a number, by their numbers."""
    return sorted(
        [row for row in rows if row["sequence"] is not None], key=lambda row: row["sequence"]
    )


async def _unpublished(connection: Connection) -> list[Record]:
    return await connection.fetch(
        """
        SELECT event_id, sequence, type, routing_key, tenant_id, payload, traceparent, occurred_at
        FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT $1
        """,
        BATCH,
    )


def _signed_messages(
    signer: Signer, rows: Sequence[Record], traceparents: Sequence[str]
) -> list[bus.Message]:
    signed = []
    for first in range(0, len(rows), MOST_TOGETHER):
        together = [
            _message(signer.source, rows[place], traceparents[place])
            for place in range(first, min(first + MOST_TOGETHER, len(rows)))
        ]
        signature = signer.sign([outgoing(message) for message in together])
        signed += [replace(message, signature=signature) for message in together]
    return signed


def _message(source: str, row: Record, traceparent: str) -> bus.Message:
    return bus.Message(
        event_id=row["event_id"],
        type=row["type"],
        routing_key=row["routing_key"],
        body=row["payload"].encode(),
        source=source,
        subject=row["tenant_id"],
        time=row["occurred_at"],
        sequence=row["sequence"],
        traceparent=traceparent,
    )


async def _mark(connection: Connection, rows: Sequence[Record]) -> None:
    await connection.execute(
        """
        UPDATE outbox SET published_at = $2 WHERE event_id = ANY($1::uuid[])
        """,
        [row["event_id"] for row in rows],
        clock.now(),
    )


def blanked(payload: str, members: Sequence[str]) -> str:
    """An event's JSON with some members emptied."""
    fields: dict[str, Any] = json.loads(payload)
    return json.dumps({**fields, **dict.fromkeys(set(members) & fields.keys(), "")})


async def prune(pool: Pool) -> int:
    """Removes published rows older than the days of replay; says how many.

    What is of the transport alone goes after an hour.
    """
    now = clock.now()
    async with database.transaction(pool) as conn:
        status = await conn.execute(
            """
            DELETE FROM outbox WHERE event_id IN (
                SELECT event_id FROM outbox
                WHERE published_at < $1 OR (published_at < $2 AND type = ANY($3::text[]))
                LIMIT 10000)
            """,
            now - KEPT,
            now - timedelta(hours=1),
            [event.type for event in bus.ADDRESSED],
        )
    return database.changed(status)


async def is_published(pool: Pool, event_id: UUID) -> bool:
    """Whether an event was confirmed by the broker."""
    async with database.acquire(pool) as conn:
        return bool(
            await conn.fetchval(
                """
                SELECT published_at IS NOT NULL FROM outbox WHERE event_id = $1
                """,
                event_id,
            )
        )


async def backlog(pool: Pool) -> tuple[int, float]:
    """How many events wait to be published, and for how many seconds the oldest has."""
    async with database.acquire(pool) as conn:
        row = await conn.fetchrow(
            """
            SELECT count(*) AS waiting, min(occurred_at) AS oldest FROM outbox
            WHERE published_at IS NULL
            """,
        )
    assert row is not None
    age = (clock.now() - row["oldest"]).total_seconds() if row["oldest"] else 0.0
    return row["waiting"], max(age, 0.0)
