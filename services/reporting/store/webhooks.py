"""SQL of what is said to webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection

CHANNEL = "reporting_webhooks"
"""Notified by each commit that adds a call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to say to one webhook."""

    call_id: UUID
    tenant_id: UUID
    webhook: str
    title: str
    body: str
    is_over: bool
    give_up_at: datetime
    tries: int


async def add(conn: Connection, tenant_id: UUID, call: Call, now: datetime) -> None:
    await conn.execute(
        """
        WITH added AS (
            INSERT INTO webhook_calls (call_id, tenant_id, webhook, title, body, is_over,
                created_at, due_at, give_up_at)
            VALUES ($2, $1, $3, $4, $5, $6, $7, $7, $8)
        )
        SELECT pg_notify($9, '')
        """,
        tenant_id,
        call.call_id,
        call.webhook,
        call.title,
        call.body,
        call.is_over,
        now,
        call.give_up_at,
        CHANNEL,
    )


async def list_due(conn: Connection, webhook: str, now: datetime, limit: int) -> list[Call]:
    """What is due at a webhook, the oldest first; nothing while two that it didn't take wait.

    So one that is away is asked by two calls and not by all, and one that can't stand something
    gets the rest.
    """
    rows = await conn.fetch(
        """
        SELECT call_id, tenant_id, webhook, title, body, is_over, give_up_at, tries
        FROM webhook_calls WHERE webhook = $1 AND due_at <= $2 AND (
            SELECT count(*) FROM webhook_calls WHERE webhook = $1 AND tries > 0 AND due_at > $2) < 2
        ORDER BY created_at, call_id LIMIT $3
        """,
        webhook,
        now,
        limit,
    )
    return [Call(*row) for row in rows]


async def remove(conn: Connection, call_id: UUID) -> None:
    """Forgets a call that was taken, or is given up."""
    await conn.execute(
        """
        DELETE FROM webhook_calls WHERE call_id = $1
        """,
        call_id,
    )


async def postpone(conn: Connection, call_id: UUID, due_at: datetime, error: str) -> None:
    await conn.execute(
        """
        UPDATE webhook_calls SET tries = tries + 1, due_at = $2, last_error = $3
        WHERE call_id = $1
        """,
        call_id,
        due_at,
        error,
    )


async def remove_others(conn: Connection, webhooks: list[str]) -> int:
    """Forgets what was to be said to webhooks that are no more; returns how much."""
    count: int = await conn.fetchval(
        """
        WITH gone AS (DELETE FROM webhook_calls WHERE webhook <> ALL ($1::text[]) RETURNING 1)
        SELECT count(*) FROM gone
        """,
        webhooks,
    )
    return count


async def list_failing(conn: Connection) -> list[tuple[str, int, datetime, str]]:
    """(webhook, calls that wait, since when, the last error) of those that took nothing."""
    rows = await conn.fetch(
        """
        SELECT webhook, count(*), min(created_at),
            (array_agg(last_error ORDER BY tries DESC))[1]
        FROM webhook_calls GROUP BY webhook HAVING max(tries) > 0 ORDER BY webhook
        """
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def count(conn: Connection) -> dict[str, int]:
    """How many calls wait at each webhook."""
    rows = await conn.fetch(
        """
        SELECT webhook, count(*) FROM webhook_calls GROUP BY webhook
        """
    )
    return {row[0]: row[1] for row in rows}
