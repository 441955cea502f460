"""SQL of what operators decided."""

from __future__ import annotations

from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import OverageDecided


async def add(conn: Connection, tenant_id: UUID, event: OverageDecided) -> bool:
    """Keeps a decision; returns whether it is new."""
    status = await conn.execute(
        """
        INSERT INTO decisions
            (tenant_id, decision_id, version, decided_at, decision, until, reason, decided_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        event.decision_id,
        event.version,
        event.decided_at,
        event.decision,
        event.until,
        event.reason,
        event.by,
    )
    return database.changed(status) == 1


async def is_outdated(conn: Connection, tenant_id: UUID, event: OverageDecided) -> bool:
    """Whether a newer decision is known that leaves nothing of this one."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM decisions WHERE tenant_id = $1 AND version > $2
                       AND (decision = 'extend') = ($3 = 'extend'))
        """,
        tenant_id,
        event.version,
        event.decision,
    )
    return found
