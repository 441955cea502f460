"""SQL of what was held on each day (UTC): one row a day and tenant, kept for years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection


@dataclass(frozen=True, slots=True)
class Day:
    """What a tenant held on a day, in the newest version of its row."""

    tenant_id: UUID
    day: date
    version: int
    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int | None
    ceiling_bytes: int | None


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
            contracted_bytes = excluded.contracted_bytes, ceiling_bytes = excluded.ceiling_bytes,
            version = d.version + 1
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


async def take_pending(conn: Connection, today: date, most: int) -> list[Day]:
    """Returns days before today that are to be told, the oldest first, and notes them as told."""
    rows = await conn.fetch(
        """
        WITH untold AS (
            SELECT tenant_id, day FROM days WHERE told_version < version AND day < $1
            ORDER BY day, tenant_id LIMIT $2 FOR UPDATE
        )
        UPDATE days d SET told_version = d.version FROM untold u
        WHERE d.tenant_id = u.tenant_id AND d.day = u.day
        RETURNING d.tenant_id, d.day, d.version, d.stored_bytes, d.protected_bytes,
            d.contracted_bytes, d.ceiling_bytes
        """,
        today,
        most,
    )
    return sorted((Day(*row) for row in rows), key=lambda one: (one.day, one.tenant_id))


async def mark_pending(conn: Connection, tenant_id: UUID | None) -> int:
    """Has all days told once more, of one tenant or of all; returns how many."""
    status = await conn.execute(
        """
        UPDATE days SET version = version + 1 WHERE $1::uuid IS NULL OR tenant_id = $1
        """,
        tenant_id,
    )
    return database.changed(status)
