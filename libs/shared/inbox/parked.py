"""Parked events: listed, shown, replayed and dropped, by command and by page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection, Record
from libs.shared.inbox import table
from libs.shared.inbox.consumer import arrivals_of, unwrap
from libs.shared.signatures import Senders


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
    return await conn.fetchrow("SELECT * FROM inbox WHERE event_id = $1", event_id)


async def replay(
    conn: Connection, senders: Senders, event_ids: Sequence[UUID], now: datetime
) -> list[UUID]:
    """Gives parked events all their tries again; returns those found.

    What was refused is looked at once more with the public keys that are known now.
    """
    again = [event_id for event_id in event_ids if await _admit(conn, senders, event_id, now)]
    rows = await conn.fetch(
        """
        UPDATE inbox SET state = 'pending', attempts = 0, next_at = $2
        WHERE event_id = ANY($1::uuid[]) AND state = 'parked' AND raw IS NULL
        RETURNING event_id
        """,
        event_ids,
        now,
    )
    return [*again, *(row["event_id"] for row in rows)]


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
    await conn.execute("DELETE FROM inbox WHERE event_id = $1", event_id)
    await table.insert(conn, [replace(arrival, parked=False)], now)
    return True


async def drop(conn: Connection, event_ids: Sequence[UUID], now: datetime) -> list[UUID]:
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
    return [row["event_id"] for row in rows]


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
