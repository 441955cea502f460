"""SQL of the mail queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules import Kind

QUEUE_CHANNEL = "reporting_mail"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the queue. Its body is there until it is sent, if it is secret."""

    mail_id: UUID
    tenant_id: UUID
    kind: Kind
    subject_id: UUID
    plan_id: UUID | None
    recipient: str
    message_id: str
    subject: str
    body: bytes
    secret: bool
    give_up_at: datetime
    tries: int


async def add_mail(
    conn: Connection,
    tenant_id: UUID,
    mail: Mail,
    *,
    state: str,
    answer: str,
    at: datetime,
) -> bool:
    """Puts a mail in the queue (state `queued`) or straight among the `undeliverable`.

    Returns False if this person has this mail already. The sender is woken by the commit.
    """
    status = await conn.execute(
        """
        INSERT INTO mails (mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id,
                           subject, body, secret, state, created_at, due_at, give_up_at,
                           last_answer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14)
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
        None if mail.secret and state != "queued" else mail.body,
        mail.secret,
        state,
        at,
        mail.give_up_at,
        answer,
    )
    await conn.execute("SELECT pg_notify($1, '')", QUEUE_CHANNEL)
    return status.endswith(" 1")


async def has_mails(conn: Connection, tenant_id: UUID, kind: Kind, subject_id: UUID) -> bool:
    """Whether anybody was ever written to about this."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM mails WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3)",
        tenant_id,
        kind,
        subject_id,
    )
    return found


async def bring_back(conn: Connection, at: datetime, longest: timedelta) -> None:
    """Makes due what waits for longer than any pause lasts: the clock was set back."""
    await conn.execute(
        "UPDATE mails SET due_at = $1 WHERE state = 'queued' AND due_at > $2", at, at + longest
    )


async def requeue_interrupted(conn: Connection, at: datetime) -> list[UUID]:
    """Gives back what a sender that is gone had begun to send, as possible duplicates.

    To be called by the one that leads, before it sends anything itself.
    """
    rows = await conn.fetch(
        """
        UPDATE mails SET state = 'queued', due_at = $1, sending_since = NULL,
            possible_duplicates = possible_duplicates + 1, last_answer = 'interrupted'
        WHERE state = 'sending' RETURNING mail_id
        """,
        at,
    )
    return [row["mail_id"] for row in rows]


async def count_due(conn: Connection, at: datetime, limit: int) -> int:
    """Counts the mails that are due, up to a limit."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM
            (SELECT FROM mails WHERE state = 'queued' AND due_at <= $1 LIMIT $2) AS due
        """,
        at,
        limit,
    )
    return found


async def claim_mail(conn: Connection, at: datetime) -> Mail | None:
    """Marks the mail that is due first as being sent, and returns it."""
    row = await conn.fetchrow(
        """
        UPDATE mails SET state = 'sending', tries = tries + 1, sending_since = $1
        WHERE mail_id = (SELECT mail_id FROM mails WHERE state = 'queued' AND due_at <= $1
                         ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id, subject,
                  body, secret, give_up_at, tries
        """,
        at,
    )
    return Mail(*row.values()) if row else None


async def mark_sent(conn: Connection, mail: Mail, answer: str, at: datetime) -> bool:
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
        at,
    )
    return status.endswith(" 1")


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
    return status.endswith(" 1")


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
    return status.endswith(" 1")


async def count_mails(conn: Connection) -> dict[str, int]:
    """Returns how many mails are unfinished, by state."""
    rows = await conn.fetch(
        "SELECT state, count(*) AS mails FROM mails WHERE state IN ('queued', 'sending') "
        "GROUP BY state"
    )
    return {row["state"]: row["mails"] for row in rows}
