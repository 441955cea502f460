"""What was lost between two services is found within a minute or two, and published once more.

A broker that is wiped tells neither who published nor who reads. So a service lists for each of
its readers the ids of what it said; the reader looks which of them its inbox has, and answers with
those that it lacks, and the service's relay publishes these again, under their numbers.
Secrets are emptied in the outbox once all who are to read them have said that they have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from prometheus_client import Counter, Gauge

from libs.shared import bus, clock, database, logs
from libs.shared.database import Connection, Pool, Record
from libs.shared.events import MOST_LISTED, EventsCompared, EventsListed
from libs.shared.inbox.parked import NO_TENANT
from libs.shared.outbox import KEPT, add, blanked

SETTLED = timedelta(seconds=15)
"""How long ago it must have been published. Several processes read one queue: one may read a list
while another still stores what came before it."""

REMEMBERED = KEPT - timedelta(days=1)
"""How old an event may be to be listed: what is about to be pruned on one side is not missed."""
LONGEST_PAUSE = timedelta(hours=1)
"""Between lists for a reader that doesn't answer; at first they come each minute."""

_LACKED = Counter("coffre_events_lacked", "Events published again because a reader lacked them")
_UNANSWERED = Gauge(
    "coffre_outbox_unanswered_seconds",
    "Age of the oldest event of which a reader has not said that it has it",
    ["service", "reader"],
)


async def list_said(pool: Pool, service: str) -> None:
    """Lists for each reader what it has not yet said to have."""
    async with database.transaction(pool) as conn:
        now = clock.now()
        horizon = await _horizon(conn, now)
        if horizon is None:
            return
        await _begin(conn, bus.readers_of(service))
        for reader in bus.readers_of(service):
            said = await _said(conn, service, reader, horizon, now)
            if not said:
                await _advance(conn, reader, horizon)
            elif await _is_due(conn, reader, now):
                await _list(conn, service, reader, said, now)


async def _list(
    conn: Connection, service: str, reader: str, said: Sequence[Record], now: datetime
) -> None:
    listed = EventsListed(
        tenant_id=NO_TENANT,
        service=service,
        reader=reader,
        event_ids=tuple(row["event_id"] for row in said),
        up_to=said[-1]["sequence"],
    )
    await add(conn, listed)
    await _await_answer(conn, reader, said[0]["published_at"], now)


async def measure(pool: Pool, service: str) -> None:
    """Keeps the gauge true, in each process."""
    async with database.acquire(pool) as conn:
        rows = await conn.fetch(
            """
            SELECT reader, unanswered_since FROM outbox_readers
            """
        )
    now = clock.now()
    for row in rows:
        since = row["unanswered_since"]
        age = (now - since).total_seconds() if since else 0.0
        _UNANSWERED.labels(service, row["reader"]).set(max(age, 0.0))


async def compare(service: str, conn: Connection, event: EventsListed) -> None:
    """Answers, where `service` is the reader, which events of a list never came."""
    if event.reader != service:
        return
    arrived = await _arrived(conn, event.event_ids)
    lacking = tuple(event_id for event_id in event.event_ids if event_id not in arrived)
    if lacking:
        logs.get().warning("events.lacking", sender=event.service, count=len(lacking))
    compared = EventsCompared(
        tenant_id=NO_TENANT,
        service=event.service,
        reader=service,
        lacking=lacking,
        up_to=event.up_to,
    )
    await add(conn, compared)


async def follow(service: str, conn: Connection, event: EventsCompared) -> None:
    """Has the relay publish again what a reader of `service` lacks, or notes that it has all."""
    if event.service != service:
        return
    if event.lacking:
        count = await _publish_again(conn, service, event)
        _LACKED.inc(count)
        logs.get().warning("events.published_again", reader=event.reader, count=count)
        return
    await _advance(conn, event.reader, event.up_to)
    await _empty_secrets(conn, service)
    now = clock.now()
    horizon = await _horizon(conn, now)
    said = await _said(conn, service, event.reader, horizon or 0, now)
    if len(said) == MOST_LISTED:  # a minute's events are more than a list holds
        await _list(conn, service, event.reader, said, now)


async def _horizon(conn: Connection, now: datetime) -> int | None:
    """The number up to which all was published a while ago; None where lists still wait.

    What was published at a time that is yet to come was so while the clock was wrong.
    """
    horizon: int | None = await conn.fetchval(
        """
        SELECT least(last_sequence,
                     (SELECT min(sequence) - 1 FROM outbox
                      WHERE published_at IS NULL AND sequence IS NOT NULL),
                     (SELECT min(sequence) - 1 FROM outbox
                      WHERE published_at > $2 AND published_at <= $1))
        FROM outbox_counter WHERE lists_from <= $1
        """,
        now,
        now - SETTLED,
    )
    return horizon


async def _begin(conn: Connection, readers: Sequence[str]) -> None:
    """Gives each reader its row."""
    await conn.execute(
        """
        INSERT INTO outbox_readers (reader, up_to)
        SELECT reader, lists_after FROM unnest($1::text[]) AS reader, outbox_counter
        ON CONFLICT (reader) DO NOTHING
        """,
        readers,
    )


async def _said(
    conn: Connection, service: str, reader: str, horizon: int, now: datetime
) -> list[Record]:
    """What was said to a reader after the last that it has, by its numbers.

    Without what was emptied because all of its client was erased: it can't be said again.
    """
    return await conn.fetch(
        """
        SELECT event_id, sequence, published_at FROM outbox
        WHERE sequence > (SELECT up_to FROM outbox_readers WHERE reader = $1)
          AND sequence <= $2 AND type = ANY($3::text[]) AND payload <> '{}' AND occurred_at > $4
        ORDER BY sequence LIMIT $5
        """,
        reader,
        horizon,
        bus.said_to(reader, service),
        now - REMEMBERED,
        MOST_LISTED,
    )


async def _advance(conn: Connection, reader: str, up_to: int) -> None:
    """Notes that a reader has all that was said to it up to a number."""
    await conn.execute(
        """
        UPDATE outbox_readers
        SET up_to = least($2, last_sequence), unanswered_since = NULL, listed_at = NULL
        FROM outbox_counter WHERE reader = $1 AND up_to < least($2, last_sequence)
        """,
        reader,
        up_to,
    )


async def _is_due(conn: Connection, reader: str, now: datetime) -> bool:
    """Whether a reader is to be asked now: the longer it owes an answer, the more seldom."""
    row = await conn.fetchrow(
        """
        SELECT listed_at, unanswered_since FROM outbox_readers WHERE reader = $1
        """,
        reader,
    )
    if row is None or row["listed_at"] is None or row["unanswered_since"] is None:
        return True
    pause = min((now - row["unanswered_since"]) / 10, LONGEST_PAUSE)
    return not row["listed_at"] <= now < row["listed_at"] + pause


async def _await_answer(
    conn: Connection, reader: str, published_at: datetime, now: datetime
) -> None:
    """Notes that a reader was asked, and since when it owes an answer.

    What is published again doesn't make that younger.
    """
    await conn.execute(
        """
        UPDATE outbox_readers
        SET listed_at = $3, unanswered_since = least(unanswered_since, $2) WHERE reader = $1
        """,
        reader,
        published_at,
        now,
    )


async def _arrived(conn: Connection, event_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the events that the inbox has, also as bytes that it could not read.

    What it refuses would be refused again, and kept once more each minute.
    """
    rows = await conn.fetch(
        """
        SELECT event_id FROM inbox WHERE event_id = ANY($1::uuid[])
        """,
        event_ids,
    )
    arrived = {row["event_id"] for row in rows}
    if len(arrived) < len(set(event_ids)):
        rows = await conn.fetch(
            """
            SELECT envelope FROM inbox WHERE raw IS NOT NULL AND envelope <> ''
            """
        )
        claimed = {json.loads(row["envelope"])["message_id"] for row in rows}
        arrived |= {event_id for event_id in event_ids if str(event_id) in claimed}
    return arrived


async def _publish_again(conn: Connection, service: str, event: EventsCompared) -> int:
    """Marks what a reader lacks as unpublished, where it is for that reader."""
    now = clock.now()
    status = await conn.execute(
        """
        UPDATE outbox SET published_at = NULL
        WHERE event_id = ANY($1::uuid[]) AND type = ANY($2::text[]) AND payload <> '{}'
          AND NOT published_at BETWEEN $3 AND $4
        """,
        event.lacking,
        bus.said_to(event.reader, service),
        now - SETTLED,  # the answer to an earlier list had it sent just now
        now,
    )
    return database.changed(status)


async def _empty_secrets(conn: Connection, service: str) -> None:
    """Empties the secrets of events that all their readers have."""
    rows = await conn.fetch(
        """
        SELECT event_id, sequence, type, payload, blank FROM outbox
        WHERE blank <> '{}' AND published_at IS NOT NULL
        """
    )
    if not rows:
        return
    known = await conn.fetch(
        """
        SELECT reader, up_to FROM outbox_readers
        """
    )
    have = {row["reader"]: row["up_to"] for row in known}
    for row in rows:
        readers = [
            one for one in bus.readers_of(service) if row["type"] in bus.said_to(one, service)
        ]
        if all(have.get(reader, 0) >= row["sequence"] for reader in readers):
            await conn.execute(
                """
                UPDATE outbox SET payload = $2, blank = '{}' WHERE event_id = $1 AND blank <> '{}'
                """,
                row["event_id"],
                blanked(row["payload"], row["blank"]),
            )
