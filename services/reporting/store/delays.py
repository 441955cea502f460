"""SQL of mails that no server has taken for long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules.mails import Late


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
