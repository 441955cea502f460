"""SQL that looks mails up: who was sent what, when, and what the server said."""

from __future__ import annotations

from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules.mails import Proof


async def search(
    conn: Connection, recipient: str, tenant_id: UUID | None, state: str | None, most: int
) -> list[Proof]:
    """Returns mails, newest first, without their texts; empty or None: whatever it is."""
    rows = await conn.fetch(
        """
        SELECT mail_id, tenant_id, kind, recipient, subject, message_id, state, created_at, due_at,
               sent_at, bounced_at, receipt, last_answer, tries, possible_duplicates, secret,
               NULL::bytea AS body
        FROM mails
        WHERE ($1 = '' OR lower(recipient) = lower($1))
          AND ($2::uuid IS NULL OR tenant_id = $2) AND ($3::text IS NULL OR state = $3)
        ORDER BY created_at DESC, mail_id LIMIT $4
        """,
        recipient,
        tenant_id,
        state,
        most,
    )
    return [Proof(**row) for row in rows]


async def find(conn: Connection, mail_id: UUID | None, message_id: str) -> list[Proof]:
    """Returns the mail of that id, or of that Message-ID, if there is one."""
    rows = await conn.fetch(
        """
        SELECT mail_id, tenant_id, kind, recipient, subject, message_id, state, created_at, due_at,
               sent_at, bounced_at, receipt, last_answer, tries, possible_duplicates, secret, body
        FROM mails WHERE mail_id = $1 OR message_id = $2
        """,
        mail_id,
        message_id,
    )
    return [Proof(**row) for row in rows]
