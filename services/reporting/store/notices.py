"""SQL of what clients were told of."""

from __future__ import annotations

from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import NoticePublished
from services.reporting.rules.missed import Window


async def put(conn: Connection, tenant_id: UUID, event: NoticePublished) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO notices AS n (tenant_id, notice_id, version, begins_at, ends_at, withdrawn)
        VALUES ($1, $2, $3, $4, $5, false)
        ON CONFLICT (tenant_id, notice_id) DO UPDATE
            SET version = $3, begins_at = $4, ends_at = $5, withdrawn = false
        WHERE n.version < $3
        """,
        tenant_id,
        event.notice_id,
        event.version,
        event.begins_at,
        event.ends_at if event.kind == "maintenance" else None,
    )
    return database.changed(status) == 1


async def withdraw(conn: Connection, tenant_id: UUID, notice_id: UUID, version: int) -> bool:
    """Notes that it does not happen, if nothing newer is known; returns whether so."""
    status = await conn.execute(
        """
        INSERT INTO notices AS n (tenant_id, notice_id, version, withdrawn)
        VALUES ($1, $2, $3, true)
        ON CONFLICT (tenant_id, notice_id) DO UPDATE SET version = $3, withdrawn = true
        WHERE n.version < $3
        """,
        tenant_id,
        notice_id,
        version,
    )
    return database.changed(status) == 1


async def list_windows(conn: Connection, tenant_id: UUID) -> list[Window]:
    """Returns the maintenances that a client was told of, the first first."""
    rows = await conn.fetch(
        """
        SELECT begins_at, ends_at FROM notices
        WHERE tenant_id = $1 AND NOT withdrawn AND begins_at IS NOT NULL AND ends_at IS NOT NULL
        ORDER BY begins_at
        """,
        tenant_id,
    )
    return [Window(row[0], row[1]) for row in rows]
