"""SQL of what mail servers said of mails; each mark is of one try, and no other.

It does nothing where that try isn't the one under way: the verdict is written down already, or
another sender took over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.mails import Mail


async def mark_sent(
    conn: Connection, receipts: Iterable[tuple[Mail, str]], now: datetime
) -> set[UUID]:
    """Keeps the server's receipts, and returns of which mails; forgets the body of secret ones."""
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
