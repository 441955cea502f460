"""SQL of mails that senders take, and give back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.mails import Mail


async def bring_back(conn: Connection, now: datetime, longest: timedelta) -> None:
    """Makes due what waits for longer than any pause lasts: the clock was set back."""
    await conn.execute(
        """
        UPDATE mails SET due_at = $1 WHERE state = 'queued' AND due_at > $2
        """,
        now,
        now + longest,
    )


async def list_gone_senders(conn: Connection, lock: str) -> set[UUID]:
    """Returns whose mails are `sending` though their sender's session is gone.

    lock: the name of a sender's lock before its id. A sender has it as long as it may send.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT coalesce(sender, '00000000-0000-0000-0000-000000000000') AS sender
        FROM mails WHERE state = 'sending' AND NOT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (classid::bigint << 32) | objid::bigint
                  = hashtextextended($1 || mails.sender::text, 0))
        """,
        lock,
    )
    return {row["sender"] for row in rows}


async def requeue_interrupted(conn: Connection, now: datetime, senders: Iterable[UUID]) -> int:
    """Gives back what senders that are gone had begun to send, as possible duplicates."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'queued', due_at = $1, sending_since = NULL, sender = NULL,
            possible_duplicates = possible_duplicates + 1, last_answer = 'interrupted'
        WHERE state = 'sending'
          AND coalesce(sender, '00000000-0000-0000-0000-000000000000') = ANY($2)
        """,
        now,
        list(senders),
    )
    return database.changed(status)


async def requeue_unbegun(conn: Connection, sender: UUID, in_hand: Iterable[UUID]) -> None:
    """Gives back what a sender claimed and never heard of, as PostgreSQL went away."""
    await conn.execute(
        """
        UPDATE mails SET state = 'queued', sending_since = NULL, sender = NULL, tries = tries - 1
        WHERE state = 'sending' AND sender = $1 AND mail_id <> ALL($2)
        """,
        sender,
        list(in_hand),
    )


async def count_due(
    conn: Connection, now: datetime, limit: int, slots: Mapping[str, int], most: int
) -> int:
    """Counts the mails that could be sent at once, up to a limit.

    slots: how many of a domain may go at once; any other: `most`.
    """
    found: int = await conn.fetchval(
        """
        SELECT coalesce(sum(least(waiting, coalesce(free, $5))), 0)::int
        FROM (SELECT domain, count(*) AS waiting
              FROM (SELECT lower(substring(recipient FROM '[^@]*$')) AS domain FROM mails
                    WHERE state = 'queued' AND due_at <= $1
                      AND lower(substring(recipient FROM '[^@]*$'))
                          <> ALL(SELECT domain
                                 FROM unnest($3::text[], $4::int[]) AS s (domain, free)
                                 WHERE free <= 0)
                    LIMIT $2) AS due
              GROUP BY domain) AS by_domain
        LEFT JOIN unnest($3::text[], $4::int[]) AS s (domain, free) USING (domain)
        """,
        now,
        limit,
        list(slots),
        list(slots.values()),
        most,
    )
    return found


async def list_turns(
    conn: Connection,
    now: datetime,
    after: UUID | None,
    limit: int,
    full: Iterable[str],
    *,
    secret: bool,
) -> list[UUID]:
    """Returns the next clients that have a mail due, in a circle of all, the next one first.

    after: whose turn was last; full: domains that get none for now.
    """
    rows = await conn.fetch(
        """
        WITH RECURSIVE turns AS (
            (SELECT tenant_id, 1 AS place FROM mails
             WHERE state = 'queued' AND secret = $5 AND due_at <= $1
               AND ($2::uuid IS NULL OR tenant_id > $2)
               AND lower(substring(recipient FROM '[^@]*$')) <> ALL($4)
             ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT m.tenant_id FROM mails m
                    WHERE m.state = 'queued' AND m.secret = $5 AND m.due_at <= $1
                      AND m.tenant_id > turns.tenant_id
                      AND lower(substring(m.recipient FROM '[^@]*$')) <> ALL($4)
                    ORDER BY m.tenant_id LIMIT 1), place + 1
            FROM turns WHERE turns.tenant_id IS NOT NULL AND place < $3
        )
        SELECT tenant_id FROM turns WHERE tenant_id IS NOT NULL ORDER BY place
        """,
        now,
        after,
        limit,
        list(full),
        secret,
    )
    return [row["tenant_id"] for row in rows]


async def claim(
    conn: Connection,
    now: datetime,
    sender: UUID,
    tenants: Sequence[UUID],
    each: int,
    limit: int,
    slots: Mapping[str, int],
    most: int,
    *,
    secret: bool,
) -> list[Mail]:
    """Marks up to `limit` mails that are due as being sent, `each` of each client at most.

    slots: how many of a domain may go at once; any other: `most`. None is claimed twice, whoever
    else claims.
    """
    rows = await conn.fetch(
        """
        WITH candidates AS (
            SELECT one.mail_id, one.domain, turn.place, one.nth,
                   row_number() OVER (PARTITION BY one.domain ORDER BY one.nth, turn.place)
                       AS in_domain
            FROM unnest($3::uuid[]) WITH ORDINALITY AS turn (tenant_id, place)
            CROSS JOIN LATERAL (
                SELECT mail_id, lower(substring(recipient FROM '[^@]*$')) AS domain,
                       row_number() OVER (ORDER BY due_at) AS nth
                FROM mails
                WHERE state = 'queued' AND due_at <= $1 AND tenant_id = turn.tenant_id
                  AND secret = $8
                  AND lower(substring(recipient FROM '[^@]*$'))
                      <> ALL(SELECT domain FROM unnest($5::text[], $6::int[]) AS s (domain, free)
                             WHERE free <= 0)
                ORDER BY due_at LIMIT $9) AS one
        ), chosen AS (
            SELECT mail_id FROM mails
            WHERE state = 'queued' AND due_at <= $1 AND mail_id IN (
                SELECT mail_id FROM candidates
                LEFT JOIN unnest($5::text[], $6::int[]) AS s (domain, free) USING (domain)
                WHERE in_domain <= coalesce(free, $7)
                ORDER BY nth, place LIMIT $4)
            FOR UPDATE SKIP LOCKED
        )
        UPDATE mails SET state = 'sending', tries = tries + 1, sending_since = $1, sender = $2
        FROM chosen WHERE mails.mail_id = chosen.mail_id
        RETURNING mails.mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id,
                  subject, body, secret, give_up_at, tries, locale, by_client, shortened
        """,
        now,
        sender,
        list(tenants),
        limit,
        list(slots),
        list(slots.values()),
        most,
        secret,
        each,
    )
    return [Mail(*row.values()) for row in rows]


async def count(conn: Connection) -> dict[str, int]:
    """Returns how many mails are unfinished, by state."""
    rows = await conn.fetch(
        """
        SELECT state, count(*) AS mails FROM mails WHERE state IN ('queued', 'sending')
        GROUP BY state
        """
    )
    return {row["state"]: row["mails"] for row in rows}


async def find_oldest(conn: Connection) -> datetime | None:
    """Returns since when the mail waits that waits the longest."""
    oldest: datetime | None = await conn.fetchval(
        """
        SELECT min(created_at) FROM mails WHERE state IN ('queued', 'sending')
        """
    )
    return oldest
