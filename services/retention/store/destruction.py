"""On which day an ended tenant's data is due."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection


async def schedule_destruction(
    conn: Connection,
    tenant_id: UUID,
    version: int,
    ended_at: datetime,
    due_at: datetime,
    reason: str,
) -> bool:
    """Writes down when destruction is due, unless something newer is known; returns whether."""
    status = await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, version, state, ended_at, due_at, reason)
        VALUES ($1, $2, 'scheduled', $3, $4, $5)
        ON CONFLICT (tenant_id) DO UPDATE
            SET version = $2, state = 'scheduled', ended_at = $3, due_at = $4, reason = $5
        WHERE d.version < $2
        """,
        tenant_id,
        version,
        ended_at,
        due_at,
        reason,
    )
    return status.endswith(" 1")


async def cancel_destruction(conn: Connection, tenant_id: UUID, version: int, reason: str) -> bool:
    """Writes down that nothing is due, unless something newer is known; returns whether.

    The row is written even where no end is known yet: an end that arrives late is older.
    """
    status = await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, version, state, reason)
        VALUES ($1, $2, 'cancelled', $3)
        ON CONFLICT (tenant_id) DO UPDATE SET version = $2, state = 'cancelled', reason = $3
        WHERE d.version < $2
        """,
        tenant_id,
        version,
        reason,
    )
    return status.endswith(" 1")
