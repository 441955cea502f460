"""What each client held on each day, as quota told it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import VolumeCounted


@dataclass(frozen=True, slots=True)
class Day:
    """What was held at the end of a day (UTC); ceiling_bytes where growth was stopped."""

    day: date
    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int | None
    ceiling_bytes: int | None


async def put(conn: Connection, event: VolumeCounted) -> None:
    """Keeps a day as its newest version tells of it."""
    await conn.execute(
        """
        INSERT INTO volume_days AS d (tenant_id, day, version, stored_bytes, protected_bytes,
            contracted_bytes, ceiling_bytes, reached_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant_id, day) DO UPDATE SET version = $3, stored_bytes = $4,
            protected_bytes = $5, contracted_bytes = $6, ceiling_bytes = $7, reached_on = $8
        WHERE d.version < $3
        """,
        event.tenant_id,
        event.day,
        event.version,
        event.stored_bytes,
        event.protected_bytes,
        event.contracted_bytes,
        event.ceiling_bytes,
        event.reached_on,
    )


async def list_days(conn: Connection, tenant_id: UUID, first: date, last: date) -> list[Day]:
    """Returns the days from the first to the last of these, oldest first."""
    rows = await conn.fetch(
        """
        SELECT day, stored_bytes, protected_bytes, contracted_bytes, ceiling_bytes
        FROM volume_days WHERE tenant_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day
        """,
        tenant_id,
        first,
        last,
    )
    return [Day(*row) for row in rows]


async def find_forecast(conn: Connection, tenant_id: UUID) -> date | None:
    """When the contract will be reached, as the newest day tells it."""
    reached_on: date | None = await conn.fetchval(
        """
        SELECT reached_on FROM volume_days WHERE tenant_id = $1 ORDER BY day DESC LIMIT 1
        """,
        tenant_id,
    )
    return reached_on
