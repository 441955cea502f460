"""SQL of mails that came back, and of addresses that took mail since."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.mails import Mail


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
