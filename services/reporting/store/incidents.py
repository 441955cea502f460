"""SQL of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.reporting.rules.incidents import Cause, Incident, Shown


async def find_open(
    conn: Connection, tenant_id: UUID, plan_id: UUID, cause: Cause
) -> Incident | None:
    row = await conn.fetchrow(
        """
        SELECT * FROM incidents
        WHERE tenant_id = $1 AND plan_id = $2 AND cause = $3 AND closed_at IS NULL
        """,
        tenant_id,
        plan_id,
        cause,
    )
    return _incident(row) if row else None


async def add(conn: Connection, tenant_id: UUID, incident: Incident) -> None:
    await conn.execute(
        """
        INSERT INTO incidents
            (tenant_id, incident_id, plan_id, cause, opened_at, last_at, last_run, times)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tenant_id,
        incident.incident_id,
        incident.plan_id,
        incident.cause,
        incident.opened_at,
        incident.last_at,
        incident.last_run,
        incident.times,
    )


async def repeat(conn: Connection, tenant_id: UUID, incident: Incident) -> None:
    """Keeps that it goes on, and whether the hotline was told again."""
    await conn.execute(
        """
        UPDATE incidents SET last_at = $3, last_run = $4, times = $5, escalated_at = $6
        WHERE tenant_id = $1 AND incident_id = $2
        """,
        tenant_id,
        incident.incident_id,
        incident.last_at,
        incident.last_run,
        incident.times,
        incident.escalated_at,
    )


async def close_before(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int, now: datetime
) -> Sequence[Incident]:
    """Closes all of a plan that a good run ends: those of older runs; unusual stays what was."""
    rows = await conn.fetch(
        """
        UPDATE incidents SET closed_at = $4
        WHERE tenant_id = $1 AND plan_id = $2 AND last_run < $3 AND closed_at IS NULL
        AND cause <> 'unusual' RETURNING *
        """,
        tenant_id,
        plan_id,
        number,
        now,
    )
    return sorted(map(_incident, rows), key=lambda one: one.opened_at)


async def close_unusual(
    conn: Connection, tenant_id: UUID, plan_id: UUID, through: int, note: str, now: datetime
) -> Incident | None:
    """Closes what is unusual of a plan, as an operator said that it was meant up to a run."""
    row = await conn.fetchrow(
        """
        UPDATE incidents SET closed_at = $5, closed_by = 'retention clear', note = $4
        WHERE tenant_id = $1 AND plan_id = $2 AND cause = 'unusual' AND last_run <= $3
        AND closed_at IS NULL RETURNING *
        """,
        tenant_id,
        plan_id,
        through,
        note,
        now,
    )
    return _incident(row) if row else None


async def list_open(conn: Connection, now: datetime, before: datetime) -> list[Shown]:
    """All that were opened before a moment and aren't put off, longest first."""
    rows = await conn.fetch(
        """
        SELECT i.*, t.name AS client, p.name AS plan, p.hostname AS machine
        FROM incidents i LEFT JOIN tenants t USING (tenant_id)
            LEFT JOIN plans p USING (tenant_id, plan_id)
        WHERE closed_at IS NULL AND opened_at < $2
            AND (snoozed_until IS NULL OR snoozed_until <= $1)
            AND t.subscription IS DISTINCT FROM 'ended'
            AND t.subscription IS DISTINCT FROM 'destroyed'
        ORDER BY opened_at, incident_id
        """,
        now,
        before,
    )
    return [
        Shown(_incident(row), row["client"] or "", row["plan"] or "", row["machine"] or "")
        for row in rows
    ]


async def acknowledge(conn: Connection, incident_id: UUID, by: str, note: str) -> bool:
    """Writes down who has an open one in hand; returns whether it is open."""
    status = await conn.execute(
        """
        UPDATE incidents SET acknowledged_by = $2, note = $3
        WHERE incident_id = $1 AND closed_at IS NULL
        """,
        incident_id,
        by,
        note,
    )
    return database.changed(status) == 1


async def snooze(conn: Connection, incident_id: UUID, until: datetime, note: str) -> bool:
    """Puts an open one off until a moment; returns whether it is open.

    The hotline is told of it again if it goes on after that.
    """
    status = await conn.execute(
        """
        UPDATE incidents SET snoozed_until = $2, note = $3, escalated_at = NULL
        WHERE incident_id = $1 AND closed_at IS NULL
        """,
        incident_id,
        until,
        note,
    )
    return database.changed(status) == 1


async def close(conn: Connection, incident_id: UUID, by: str, note: str, now: datetime) -> bool:
    """Closes one by hand; returns whether it was open."""
    status = await conn.execute(
        """
        UPDATE incidents SET closed_at = $4, closed_by = $2, note = $3
        WHERE incident_id = $1 AND closed_at IS NULL
        """,
        incident_id,
        by,
        note,
        now,
    )
    return database.changed(status) == 1


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
        escalated_at=row["escalated_at"],
        acknowledged_by=row["acknowledged_by"],
        snoozed_until=row["snoozed_until"],
        note=row["note"],
    )
