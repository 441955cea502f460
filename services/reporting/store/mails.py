"""SQL of the mail queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.allowances import Caused
from services.reporting.rules.mails import Late, Mail, Withheld

QUEUE_CHANNEL = "reporting_mail"


async def add(
    conn: Connection,
    tenant_id: UUID,
    mail: Mail,
    *,
    state: str,
    now: datetime,
) -> bool:
    """Puts a mail in the queue (`queued`), or straight among the `undeliverable` or `withheld`.

    Returns False if this person has this mail already. The sender is woken by the commit.
    """
    status = await conn.execute(
        """
        INSERT INTO mails (mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id,
                           subject, body, secret, state, created_at, due_at, give_up_at,
                           locale, by_client)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14, $15)
        ON CONFLICT DO NOTHING
        """,
        mail.mail_id,
        tenant_id,
        mail.kind,
        mail.subject_id,
        mail.plan_id,
        mail.recipient,
        mail.message_id,
        mail.subject,
        mail.body if state == "queued" else None,
        mail.secret,
        state,
        now,
        mail.give_up_at,
        mail.locale,
        mail.by_client,
    )
    await conn.execute(
        """
        SELECT pg_notify($1, '')
        """,
        QUEUE_CHANNEL,
    )
    return database.changed(status) == 1


async def is_known(conn: Connection, tenant_id: UUID, kind: str, subject_id: UUID) -> bool:
    """Whether anybody was ever written to about this."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM mails WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3)
        """,
        tenant_id,
        kind,
        subject_id,
    )
    return found


async def list_written_to(
    conn: Connection, tenant_id: UUID, kind: str, subject_id: UUID
) -> set[str]:
    """Returns the addresses that have a mail of that kind about that, in whatever state."""
    rows = await conn.fetch(
        """
        SELECT recipient FROM mails WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3
        """,
        tenant_id,
        kind,
        subject_id,
    )
    return {row["recipient"] for row in rows}


async def count_caused(
    conn: Connection, tenant_id: UUID, plan_id: UUID | None, recipient: str, since: datetime
) -> Caused:
    """Counts what a client's machines caused since then and was not held back."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS in_all,
               count(*) FILTER (WHERE plan_id = $2 AND recipient = $3) AS about_plan
        FROM mails WHERE tenant_id = $1 AND created_at > $4 AND by_client AND state <> 'withheld'
        """,
        tenant_id,
        plan_id,
        recipient,
        since,
    )
    assert row is not None  # an aggregate always returns its row
    return Caused(row["about_plan"], row["in_all"])


async def list_untold(conn: Connection, before: datetime) -> list[tuple[UUID, str]]:
    """Returns (client, address) of whom a mail was held back before that moment, and untold."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, recipient FROM mails WHERE state = 'withheld' AND told_in IS NULL
        GROUP BY tenant_id, recipient HAVING min(created_at) <= $1 ORDER BY tenant_id, recipient
        """,
        before,
    )
    return [(row["tenant_id"], row["recipient"]) for row in rows]


async def take_untold(
    conn: Connection, tenant_id: UUID, recipient: str, digest_id: UUID
) -> list[Withheld]:
    """Marks all that was held back from somebody as told in a digest; by subject, newest first."""
    rows = await conn.fetch(
        """
        WITH told AS (
            UPDATE mails SET told_in = $3
            WHERE tenant_id = $1 AND recipient = $2 AND state = 'withheld' AND told_in IS NULL
            RETURNING subject, created_at, locale
        )
        SELECT subject, count(*) AS mails, min(created_at) AS first_at, max(created_at) AS last_at,
               max(locale) AS locale
        FROM told GROUP BY subject ORDER BY last_at DESC, subject
        """,
        tenant_id,
        recipient,
        digest_id,
    )
    return [Withheld(**row) for row in rows]


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


async def mark_sent(
    conn: Connection, receipts: Iterable[tuple[Mail, str]], now: datetime
) -> set[UUID]:
    """Keeps the server's receipts; the body of a secret mail is forgotten.

    Returns of which mails. Like the other marks it does nothing when this try is not the one
    under way: the verdict is written down already, or another sender took over.
    """
    kept = list(receipts)
    rows = await conn.fetch(
        """
        UPDATE mails SET state = 'sent', sent_at = $4, last_answer = answer, receipt = answer,
            sending_since = NULL, sender = NULL, body = CASE WHEN secret THEN NULL ELSE body END
        FROM unnest($1::uuid[], $2::int[], $3::text[]) AS told (told_id, try, answer)
        WHERE mail_id = told_id AND state = 'sending' AND tries = try
        RETURNING mail_id
        """,
        [mail.mail_id for mail, _ in kept],
        [mail.tries for mail, _ in kept],
        [answer for _, answer in kept],
        now,
    )
    return {row["mail_id"] for row in rows}


async def mark_later(
    conn: Connection, mail: Mail, answer: str, due_at: datetime, *, is_uncertain: bool
) -> bool:
    """Puts a mail back in the queue; an uncertain outcome counts as a possible duplicate."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'queued', due_at = $5, last_answer = $4, sending_since = NULL,
            sender = NULL, possible_duplicates = possible_duplicates + $6
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
        due_at,
        int(is_uncertain),
    )
    return database.changed(status) == 1


async def mark_shortened(conn: Connection, mail: Mail, answer: str, now: datetime) -> bool:
    """Puts a mail back in the queue at once, with a shorter body: that of `mail`."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'queued', due_at = $5, last_answer = $4, sending_since = NULL,
            sender = NULL, body = $6, shortened = true
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
        now,
        mail.body,
    )
    return database.changed(status) == 1


async def mark_undeliverable(conn: Connection, mail: Mail, answer: str) -> bool:
    """Ends the tries for good; the body of a secret mail is forgotten."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'undeliverable', last_answer = $4, sending_since = NULL,
            sender = NULL, body = CASE WHEN secret THEN NULL ELSE body END
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
    )
    return database.changed(status) == 1


async def list_late_clients(
    conn: Connection, before: datetime, silent: Iterable[str]
) -> list[UUID]:
    """Returns whose mails written before that moment were tried and are still in the queue.

    silent: kinds of which the hotline isn't told.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT tenant_id FROM mails
        WHERE state = 'queued' AND tries > 0 AND created_at <= $1 AND kind <> ALL($2)
        ORDER BY tenant_id
        """,
        before,
        list(silent),
    )
    return [row["tenant_id"] for row in rows]


async def list_late(
    conn: Connection, tenant_id: UUID, before: datetime, silent: Iterable[str]
) -> list[Late]:
    """Returns these mails of a client, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT recipient, subject, created_at AS written_at, give_up_at, last_answer AS answer
        FROM mails
        WHERE tenant_id = $1 AND state IN ('queued', 'sending') AND tries > 0
          AND created_at <= $2 AND kind <> ALL($3)
        ORDER BY created_at, recipient
        """,
        tenant_id,
        before,
        list(silent),
    )
    return [Late(**row) for row in rows]


async def came_back(conn: Connection, tenant_id: UUID, name: str) -> bool:
    """Whether the newest mail that an address, in small letters, didn't get was accepted first."""
    found: bool = await conn.fetchval(
        """
        SELECT coalesce((SELECT bounced_at IS NOT NULL FROM mails
            WHERE tenant_id = $1 AND lower(recipient) = $2 AND state = 'undeliverable'
            ORDER BY coalesce(bounced_at, created_at) DESC LIMIT 1), false)
        """,
        tenant_id,
        name,
    )
    return found


async def mark_bounced(conn: Connection, mail: Mail, answer: str, now: datetime) -> bool:
    """Notes that a mail that was sent came back; False where that is known, or it isn't sent."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'undeliverable', bounced_at = $4, last_answer = $3
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sent'
        """,
        mail.tenant_id,
        mail.mail_id,
        answer,
        now,
    )
    return database.changed(status) == 1


async def find(conn: Connection, mail_id: UUID) -> Mail | None:
    """Returns a mail by its id, whosesoever it is."""
    row = await conn.fetchrow(
        """
        SELECT mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id, subject,
               coalesce(body, '') AS body, secret, give_up_at, tries, locale, by_client, shortened
        FROM mails WHERE mail_id = $1
        """,
        mail_id,
    )
    return Mail(*row.values()) if row else None


async def find_by_message_id(conn: Connection, message_id: str) -> Mail | None:
    """Returns a mail by its Message-ID, whosesoever it is."""
    mail_id = await conn.fetchval(
        """
        SELECT mail_id FROM mails WHERE message_id = $1
        """,
        message_id,
    )
    return await find(conn, mail_id) if mail_id else None


async def find_oldest(conn: Connection) -> datetime | None:
    """Returns since when the mail waits that waits the longest."""
    oldest: datetime | None = await conn.fetchval(
        """
        SELECT min(created_at) FROM mails WHERE state IN ('queued', 'sending')
        """
    )
    return oldest


async def count(conn: Connection) -> dict[str, int]:
    """Returns how many mails are unfinished, by state."""
    rows = await conn.fetch(
        """
        SELECT state, count(*) AS mails FROM mails WHERE state IN ('queued', 'sending')
        GROUP BY state
        """
    )
    return {row["state"]: row["mails"] for row in rows}
