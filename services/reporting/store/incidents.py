"""SQL of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules.incidents import Cause, Incident, NamedIncident


async def find_open(
    conn: Connection, tenant_id: UUID, plan_id: UUID | None, cause: Cause
) -> Incident | None:
    row = await conn.fetchrow(
        """
        SELECT * FROM incidents
        WHERE tenant_id = $1 AND (plan_id = $2 OR plan_id IS NULL AND $2::uuid IS NULL)
            AND cause = $3 AND closed_at IS NULL
        """,
        tenant_id,
        plan_id,
        cause,
    )
    return _incident(row) if row else None


async def find(conn: Connection, tenant_id: UUID, incident_id: UUID) -> Incident | None:
    row = await conn.fetchrow(
        """
        SELECT * FROM incidents WHERE tenant_id = $1 AND incident_id = $2
        """,
        tenant_id,
        incident_id,
    )
    return _incident(row) if row else None


async def put(conn: Connection, tenant_id: UUID, incident: Incident) -> None:
    """Keeps how it is now."""
    await conn.execute(
        """
        INSERT INTO incidents
            (tenant_id, incident_id, plan_id, cause, opened_at, last_at, last_run, times, version,
             escalated_at, acknowledged_by, snoozed_until, note, closed_at, closed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (tenant_id, incident_id) DO UPDATE SET
            last_at = $6, last_run = $7, times = $8, version = $9, escalated_at = $10,
            acknowledged_by = $11, snoozed_until = $12, note = $13, closed_at = $14,
            closed_by = $15
        """,
        tenant_id,
        incident.incident_id,
        incident.plan_id,
        incident.cause,
        incident.opened_at,
        incident.last_at,
        incident.last_run,
        incident.times,
        incident.version,
        incident.escalated_at,
        incident.acknowledged_by,
        incident.snoozed_until,
        incident.note,
        incident.closed_at,
        incident.closed_by,
    )


async def list_open_of(
    conn: Connection,
    tenant_id: UUID,
    causes: Sequence[Cause],
    *,
    plan_id: UUID | None = None,
    before_run: int | None = None,
) -> list[Incident]:
    """Returns a client's open ones of some causes, longest first.

    plan_id: of this plan alone; before_run: whose runs are all older than this number.
    """
    rows = await conn.fetch(
        """
        SELECT * FROM incidents
        WHERE tenant_id = $1 AND cause = ANY($2::text[]) AND closed_at IS NULL
            AND ($3::uuid IS NULL OR plan_id = $3) AND ($4::integer IS NULL OR last_run < $4)
        ORDER BY opened_at, incident_id
        """,
        tenant_id,
        list(causes),
        plan_id,
        before_run,
    )
    return [_incident(row) for row in rows]


async def list_open(conn: Connection, now: datetime, before: datetime) -> list[NamedIncident]:
    """All that were opened before a moment and aren't put off, longest first."""
    rows = await conn.fetch(
        """
        SELECT i.*, t.name AS client, p.name AS plan, p.hostname AS machine
        FROM incidents i LEFT JOIN tenants t USING (tenant_id)
            LEFT JOIN plans p USING (tenant_id, plan_id)
        WHERE closed_at IS NULL AND opened_at < $2
            AND (snoozed_until IS NULL OR snoozed_until <= $1)
        ORDER BY opened_at, incident_id
        """,
        now,
        before,
    )
    return [
        NamedIncident(_incident(row), row["client"] or "", row["plan"] or "", row["machine"] or "")
        for row in rows
    ]


async def list_old(conn: Connection, now: datetime, before: datetime) -> list[tuple[UUID, UUID]]:
    """(tenant, incident) of what has been open since before a moment, and is in nobody's hand."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, incident_id FROM incidents
        WHERE closed_at IS NULL AND opened_at <= $2 AND escalated_at IS NULL
            AND acknowledged_by IS NULL AND (snoozed_until IS NULL OR snoozed_until <= $1)
        ORDER BY opened_at LIMIT 100
        """,
        now,
        before,
    )
    return [(row[0], row[1]) for row in rows]


def _incident(row: Any) -> Incident:
    return Incident(
        tenant_id=row["tenant_id"],
        incident_id=row["incident_id"],
        plan_id=row["plan_id"],
        cause=row["cause"],
        opened_at=row["opened_at"],
        last_at=row["last_at"],
        last_run=row["last_run"],
        times=row["times"],
        version=row["version"],
        escalated_at=row["escalated_at"],
        acknowledged_by=row["acknowledged_by"],
        snoozed_until=row["snoozed_until"],
        note=row["note"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
    )


async def count_open(conn: Connection) -> dict[str, int]:
    """Returns how many incidents are open, by cause."""
    rows = await conn.fetch(
        """
        SELECT cause, count(*) AS incidents FROM incidents WHERE closed_at IS NULL GROUP BY cause
        """
    )
    return {row["cause"]: row["incidents"] for row in rows}
