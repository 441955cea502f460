"""SQL of what each plan protects, and what its runs sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import PlanVolume, RunFinished


async def put(conn: Connection, tenant_id: UUID, event: RunFinished) -> None:
    """Keeps what a plan protects, by its newest restore point."""
    await conn.execute(
        """
        INSERT INTO plans AS p
            (tenant_id, plan_id, number, plan_name, hostname, protected_bytes)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE
            SET number = $3, plan_name = $4, hostname = $5, protected_bytes = $6
        WHERE p.number < $3
        """,
        tenant_id,
        event.plan_id,
        event.number,
        event.plan_name,
        event.hostname,
        event.bytes_protected,
    )


async def add_sent(conn: Connection, tenant_id: UUID, event: RunFinished) -> None:
    """Keeps what a run sent, once."""
    await conn.execute(
        """
        INSERT INTO sent (tenant_id, plan_id, run_id, finished_at, sent_bytes)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        event.plan_id,
        event.run_id,
        event.finished_at,
        event.bytes_sent,
    )


async def list_fullest(
    conn: Connection, tenant_id: UUID, since: datetime, limit: int
) -> list[PlanVolume]:
    """Returns the plans that protect most, the first first, with what they sent since then."""
    rows = await conn.fetch(
        """
        SELECT plan_id, plan_name, hostname, protected_bytes,
               (SELECT coalesce(sum(s.sent_bytes), 0)::bigint FROM sent s
                WHERE s.tenant_id = p.tenant_id AND s.plan_id = p.plan_id AND s.finished_at > $2)
               AS sent_bytes
        FROM plans p WHERE tenant_id = $1 ORDER BY protected_bytes DESC, plan_id LIMIT $3
        """,
        tenant_id,
        since,
        limit,
    )
    return [PlanVolume(**row) for row in rows]


async def forget_sent(conn: Connection, before: datetime) -> None:
    """Removes what runs sent before that moment."""
    await conn.execute(
        """
        DELETE FROM sent WHERE finished_at <= $1
        """,
        before,
    )
