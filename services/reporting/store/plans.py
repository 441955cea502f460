"""SQL of the plans that reporting knows."""

from __future__ import annotations

from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import PlanDeclared
from services.reporting.rules.plans import Plan


async def put(conn: Connection, tenant_id: UUID, event: PlanDeclared) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO plans AS p
            (tenant_id, plan_id, version, name, hostname, schedule, timezone, recipients, reports)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET
            version = $3, name = $4, hostname = $5, schedule = $6, timezone = $7,
            recipients = $8, reports = $9
        WHERE p.version < $3
        """,
        tenant_id,
        event.plan_id,
        event.version,
        event.name,
        event.hostname,
        event.schedule,
        event.timezone,
        list(event.recipients),
        event.reports,
    )
    return database.changed(status) == 1


async def find(conn: Connection, tenant_id: UUID, plan_id: UUID) -> Plan | None:
    row = await conn.fetchrow(
        """
        SELECT * FROM plans WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    if row is None:
        return None
    return Plan(
        plan_id,
        row["name"],
        row["hostname"],
        row["schedule"],
        row["timezone"],
        tuple(row["recipients"]),
        row["reports"],
    )
