"""SQL of the mail queue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.allowances import Caused
from services.reporting.rules.mails import Mail

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


async def forget_texts(conn: Connection, before: datetime, most: int) -> None:
    """Forgets the texts of mails that machines caused before then, the oldest first.

    That they were sent, to whom and with which subject stays."""
    await conn.execute(
        """
        UPDATE mails SET body = NULL
        WHERE mail_id IN (
            SELECT mail_id FROM mails
            WHERE by_client AND body IS NOT NULL AND state IN ('sent', 'undeliverable')
              AND created_at < $1
            ORDER BY created_at LIMIT $2
        )
        """,
        before,
        most,
    )
