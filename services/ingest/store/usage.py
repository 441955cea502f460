"""What clients used of their daily allowances."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection


async def add(conn: Connection, tenant_id: UUID, day: date, kind: str, amount: int) -> int:
    """Adds to what a client used on a day; returns what that comes to."""
    used: int = await conn.fetchval(
        """
        INSERT INTO usage AS u (tenant_id, day, kind, amount) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, day, kind) DO UPDATE SET amount = u.amount + $4
        RETURNING amount
        """,
        tenant_id,
        day,
        kind,
        amount,
    )
    return used


async def count_plans(conn: Connection, tenant_id: UUID) -> int:
    """Returns how many plans a client has."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM plans WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return count


async def forget(conn: Connection, before: date) -> int:
    """Deletes what was used on days before that one; returns how many rows."""
    status = await conn.execute(
        """
        DELETE FROM usage WHERE day < $1
        """,
        before,
    )
    return database.changed(status)
