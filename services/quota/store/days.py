"""SQL of what was held on each day (UTC): one row a day and tenant, kept for years."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection


async def put(conn: Connection, tenant_id: UUID, day: date) -> None:
    """Writes how a tenant stands now as that day's row; the last word of a day stays."""
    await conn.execute(
        """
        INSERT INTO days AS d
            (tenant_id, day, stored_bytes, protected_bytes, contracted_bytes, ceiling_bytes)
        SELECT tenant_id, $2, stored_bytes, protected_bytes, contracted_bytes,
               CASE WHEN blocked THEN ceiling_bytes END
        FROM allowances WHERE tenant_id = $1
        ON CONFLICT (tenant_id, day) DO UPDATE SET stored_bytes = excluded.stored_bytes,
            protected_bytes = excluded.protected_bytes,
            contracted_bytes = excluded.contracted_bytes, ceiling_bytes = excluded.ceiling_bytes
        """,
        tenant_id,
        day,
    )


async def fill(conn: Connection, since: date, today: date) -> int:
    """Gives each day without a row, up to today, that of the day before; returns how many."""
    status = await conn.execute(
        """
        INSERT INTO days
            (tenant_id, day, stored_bytes, protected_bytes, contracted_bytes, ceiling_bytes)
        SELECT d.tenant_id, missing::date, d.stored_bytes, d.protected_bytes, d.contracted_bytes,
               d.ceiling_bytes
        FROM (SELECT *, lead(day, 1, $2::date + 1) OVER (PARTITION BY tenant_id ORDER BY day)
                     AS next_day
              FROM days WHERE day BETWEEN $1 AND $2) AS d
        CROSS JOIN generate_series(d.day + 1, d.next_day - 1, interval '1 day') AS missing
        WHERE d.next_day > d.day + 1
        ON CONFLICT DO NOTHING
        """,
        since,
        today,
    )
    return database.changed(status)


async def list_stored(conn: Connection, tenant_id: UUID, most_days: int) -> list[int]:
    """Returns the bytes stored on each of the last days, oldest first."""
    rows = await conn.fetch(
        """
        SELECT stored_bytes FROM days WHERE tenant_id = $1 ORDER BY day DESC LIMIT $2
        """,
        tenant_id,
        most_days,
    )
    return [row["stored_bytes"] for row in reversed(rows)]
