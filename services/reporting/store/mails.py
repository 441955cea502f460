"""SQL of the mail queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.allowances import Caused
from services.reporting.rules.mails import Mail, Withheld

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


async def requeue_interrupted(conn: Connection, now: datetime) -> list[UUID]:
    """Gives back what a sender that is gone had begun to send, as possible duplicates.

    To be called by the one that leads, before it sends anything itself.
    """
    rows = await conn.fetch(
        """
        UPDATE mails SET state = 'queued', due_at = $1, sending_since = NULL,
            possible_duplicates = possible_duplicates + 1, last_answer = 'interrupted'
        WHERE state = 'sending' RETURNING mail_id
        """,
        now,
    )
    return [row["mail_id"] for row in rows]


async def count_due(conn: Connection, now: datetime, limit: int) -> int:
    """Counts the mails that are due, up to a limit."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM
            (SELECT FROM mails WHERE state = 'queued' AND due_at <= $1 LIMIT $2) AS due
        """,
        now,
        limit,
    )
    return found


async def claim(
    conn: Connection, now: datetime, after: UUID | None, *, secret: bool
) -> Mail | None:
    """Marks the mail that is due first, of the first client after that one, as being sent.

    after: by its id; None: of the first of all clients.
    """
    row = await conn.fetchrow(
        """
        UPDATE mails SET state = 'sending', tries = tries + 1, sending_since = $1
        WHERE mail_id = (
            SELECT mail_id FROM mails
            WHERE state = 'queued' AND due_at <= $1 AND secret = $3
              AND ($2::uuid IS NULL OR tenant_id > $2)
            ORDER BY tenant_id, due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id, subject,
                  body, secret, give_up_at, tries, locale, by_client, shortened
        """,
        now,
        after,
        secret,
    )
    return Mail(*row.values()) if row else None


async def mark_sent(conn: Connection, mail: Mail, answer: str, now: datetime) -> bool:
    """Keeps the server's acceptance; the body of a secret mail is forgotten.

    Like the other two marks it returns False, and does nothing, when this try is not the one
    under way: the verdict is written down already, or another sender took over.
    """
    status = await conn.execute(
        """
        UPDATE mails SET state = 'sent', sent_at = $5, last_answer = $4, sending_since = NULL,
            body = CASE WHEN secret THEN NULL ELSE body END
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
        now,
    )
    return database.changed(status) == 1


async def mark_later(
    conn: Connection, mail: Mail, answer: str, due_at: datetime, *, is_uncertain: bool
) -> bool:
    """Puts a mail back in the queue; an uncertain outcome counts as a possible duplicate."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'queued', due_at = $5, last_answer = $4, sending_since = NULL,
            possible_duplicates = possible_duplicates + $6
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
            body = $6, shortened = true
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
            body = CASE WHEN secret THEN NULL ELSE body END
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
    )
    return database.changed(status) == 1


async def count(conn: Connection) -> dict[str, int]:
    """Returns how many mails are unfinished, by state."""
    rows = await conn.fetch(
        """
        SELECT state, count(*) AS mails FROM mails WHERE state IN ('queued', 'sending')
        GROUP BY state
        """
    )
    return {row["state"]: row["mails"] for row in rows}
