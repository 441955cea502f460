"""SQL of mails that were held back, and told of in digests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules.mails import Withheld


async def list_pending(conn: Connection, before: datetime) -> list[tuple[UUID, str]]:
    """Returns (client, address) of whom a mail was held back before that moment, and untold."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, recipient FROM mails WHERE state = 'withheld' AND told_in IS NULL
        GROUP BY tenant_id, recipient HAVING min(created_at) <= $1 ORDER BY tenant_id, recipient
        """,
        before,
    )
    return [(row["tenant_id"], row["recipient"]) for row in rows]


async def take_pending(
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
