"""SQL of the maintenance that agents are told of."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from libs.shared.database import Connection
from services.ingest.rules.notices import Maintenance

_MAINTENANCE = TypeAdapter(Maintenance)


async def put(
    conn: Connection, tenant_id: UUID, notice_id: UUID, version: int, told: Maintenance | None
) -> None:
    """Keeps what is newer; None: there is nothing to tell of."""
    await conn.execute(
        """
        INSERT INTO notices AS n (tenant_id, notice_id, version, told, ends_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, notice_id) DO UPDATE SET version = $3, told = $4, ends_at = $5
        WHERE n.version < $3
        """,
        tenant_id,
        notice_id,
        version,
        _MAINTENANCE.dump_json(told).decode() if told else None,
        told.ends_at if told else None,
    )


async def list_coming(conn: Connection, tenant_id: UUID, now: datetime) -> list[Maintenance]:
    """Returns the maintenance that a client was told of and that isn't over, the next first."""
    rows = await conn.fetch(
        """
        SELECT told FROM notices WHERE tenant_id = $1 AND told IS NOT NULL AND ends_at > $2
        ORDER BY ends_at LIMIT 10
        """,
        tenant_id,
        now,
    )
    return [_MAINTENANCE.validate_json(row["told"]) for row in rows]
