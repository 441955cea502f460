"""Parked events: told to the portal; listed, shown, replayed and dropped, here or from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import clock, outbox
from libs.shared.database import Connection, Record
from libs.shared.events import EventParked, ParkedDecided, ParkedSettled
from libs.shared.inbox import table
from libs.shared.inbox.consumer import arrivals_of, unwrap
from libs.shared.signatures import Senders

NO_TENANT = UUID(int=0)
_TOLD_TOGETHER = 200
# Of these nothing is told, or one that can't be handled would cause another, without end.
_UNTOLD = (EventParked.type, ParkedSettled.type, ParkedDecided.type)


async def tell(conn: Connection, service: str) -> int:
    """Tells the portal of events that came to wait for a person; returns of how many."""
    now = clock.now()
    rows = await conn.fetch(
        """
        UPDATE inbox SET told_at = $1 WHERE event_id IN (
            SELECT event_id FROM inbox
            WHERE state = 'parked' AND told_at IS NULL AND type <> ALL ($2)
            ORDER BY position LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING event_id, tenant_id, type, error, attempts
        """,
        now,
        _UNTOLD,
        _TOLD_TOGETHER,
    )
    told = [
        EventParked(
            tenant_id=row["tenant_id"] or NO_TENANT,
            service=service,
            event_id=row["event_id"],
            event_type=row["type"],
            error=row["error"],
            attempts=row["attempts"],
            parked_at=now,
        )
        for row in rows
    ]
    if told:
        await outbox.add_all(conn, told)
    return len(told)


async def follow_decision(
    service: str, senders: Senders, conn: Connection, event: ParkedDecided
) -> None:
    """Does with a parked event what an operator decided at the portal, where it is this service's.

    One that still can't be believed stays parked, and is told once more.
    """
    if event.service != service:
        return
    now = clock.now()
    if event.decision == "replay":
        found = await replay(conn, service, senders, [event.event_id], now)
    else:
        found = await drop(conn, service, [event.event_id], now)
    if not found:
        await _tell_again(conn, event.event_id)


async def _tell_again(conn: Connection, event_id: UUID) -> None:
    await conn.execute(
        """
        UPDATE inbox SET told_at = NULL WHERE event_id = $1 AND state = 'parked'
        """,
        event_id,
    )


async def _settle(
    conn: Connection, service: str, event_ids: Sequence[UUID], now: datetime
) -> list[UUID]:
    """Tells the portal that these wait no longer."""
    settled = [
        ParkedSettled(tenant_id=NO_TENANT, service=service, event_id=event_id, settled_at=now)
        for event_id in event_ids
    ]
    if settled:
        await outbox.add_all(conn, settled)
    return list(event_ids)


async def list_parked(conn: Connection, limit: int = 200) -> list[Record]:
    """The oldest parked events, without their contents; `unreadable` ones have raw bytes only."""
    return await conn.fetch(
        """
        SELECT event_id, type, tenant_id, received_at, attempts, error,
               raw IS NOT NULL AS unreadable
        FROM inbox WHERE state = 'parked' ORDER BY position LIMIT $1
        """,
        limit,
    )


async def find(conn: Connection, event_id: UUID) -> Record | None:
    """One event of the inbox with all that is known of it."""
    return await conn.fetchrow(
        """
        SELECT * FROM inbox WHERE event_id = $1
        """,
        event_id,
    )


async def replay(
    conn: Connection,
    service: str,
    senders: Senders,
    event_ids: Sequence[UUID],
    now: datetime,
) -> list[UUID]:
    """Gives parked events all their tries again; returns those found.

    What was refused is looked at once more with the public keys that are known now.
    """
    again = [event_id for event_id in event_ids if await _admit(conn, senders, event_id, now)]
    rows = await conn.fetch(
        """
        UPDATE inbox SET state = 'pending', attempts = 0, next_at = $2, told_at = NULL
        WHERE event_id = ANY($1::uuid[]) AND state = 'parked' AND raw IS NULL
        RETURNING event_id
        """,
        event_ids,
        now,
    )
    return await _settle(conn, service, [*again, *(row["event_id"] for row in rows)], now)


async def _admit(conn: Connection, senders: Senders, event_id: UUID, now: datetime) -> bool:
    """Puts the event in the place of a raw row that turns out to be one; says whether it does."""
    row = await conn.fetchrow(
        """
        SELECT raw, envelope FROM inbox
        WHERE event_id = $1 AND state = 'parked' AND envelope <> '' FOR UPDATE
        """,
        event_id,
    )
    if row is None:
        return False
    [arrival] = arrivals_of(senders, [unwrap(row["envelope"], row["raw"])], now)
    if arrival.raw is not None:
        return False
    await conn.execute(
        """
        DELETE FROM inbox WHERE event_id = $1
        """,
        event_id,
    )
    await table.insert(conn, [replace(arrival, parked=False)], now)
    return True


async def drop(
    conn: Connection, service: str, event_ids: Sequence[UUID], now: datetime
) -> list[UUID]:
    """Counts parked events as done without handling them; returns those found.

    The rows stay for the days of replay, so that a late repetition is not handled after all.
    """
    rows = await conn.fetch(
        """
        UPDATE inbox SET state = 'done', done_at = $2, error = 'dropped by a person: ' || error
        WHERE event_id = ANY($1::uuid[]) AND state = 'parked' RETURNING event_id
        """,
        event_ids,
        now,
    )
    return await _settle(conn, service, [row["event_id"] for row in rows], now)


def line(row: Record) -> str:
    """One event of a list, for a terminal."""
    reason = row["error"].strip().splitlines()[-1] if row["error"].strip() else ""
    kind = "unreadable" if row["unreadable"] else f"{row['attempts']} tries"
    received_at = f"{row['received_at']:%Y-%m-%d %H:%M:%S}"
    return f"{row['event_id']}  {received_at}  {row['type']}  ({kind})  {reason}"


def page(row: Record) -> str:
    """One event in full, for a terminal; bytes that can't be read are escaped."""
    lines = [
        f"event:       {row['event_id']}",
        f"type:        {row['type']}",
        f"state:       {row['state']}, after {row['attempts']} tries",
        f"source:      {row['source']} (number {row['sequence']})",
        f"tenant:      {row['tenant_id']}",
        f"occurred at: {row['occurred_at']}",
        f"received at: {row['received_at']}",
    ]
    if row["raw"] is not None:
        lines += ["", "envelope, as it came:", row["envelope"]]
        lines += ["", "body, as it came:", repr(bytes(row["raw"]))[2:-1]]
    else:
        lines += ["", json.dumps(json.loads(row["payload"]), indent=2, ensure_ascii=False)]
    if row["error"]:
        lines += ["", "error:", row["error"]]
    return "\n".join(lines)
