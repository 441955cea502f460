"""SQL of what reporting knows: tenants, plans, and runs with or without their report."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from libs.shared.database import Connection
from libs.shared.events import PlanDeclared, Recipient, RunFinished, TenantChanged
from services.reporting.rules import Plan, Tenant

_PEOPLE = TypeAdapter(tuple[Recipient, ...])


async def lock_tenant(conn: Connection, tenant_id: UUID) -> None:
    """Makes handlers of one tenant follow each other until the transaction ends.

    Without it a run and the declaration of its plan, handled at once, would each miss the other.
    """
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('reporting.' || $1::text, 0))",
        str(tenant_id),
    )


async def put_tenant(conn: Connection, tenant_id: UUID, event: TenantChanged) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO tenants AS t
            (tenant_id, version, name, locale, timezone, administrators, contracted_bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id) DO UPDATE SET
            version = $2, name = $3, locale = $4, timezone = $5,
            administrators = $6, contracted_bytes = $7
        WHERE t.version < $2
        """,
        tenant_id,
        event.version,
        event.name,
        event.locale,
        event.timezone,
        _PEOPLE.dump_json(event.administrators).decode(),
        event.contracted_bytes,
    )
    return status.endswith(" 1")


async def find_tenant(conn: Connection, tenant_id: UUID) -> Tenant | None:
    row = await conn.fetchrow("SELECT * FROM tenants WHERE tenant_id = $1", tenant_id)
    if row is None:
        return None
    return Tenant(
        tenant_id,
        row["name"],
        row["locale"],
        row["timezone"],
        _PEOPLE.validate_json(row["administrators"]),
        row["contracted_bytes"],
    )


async def put_plan(conn: Connection, tenant_id: UUID, event: PlanDeclared) -> bool:
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
    return status.endswith(" 1")


async def find_plan(conn: Connection, tenant_id: UUID, plan_id: UUID) -> Plan | None:
    row = await conn.fetchrow(
        "SELECT * FROM plans WHERE tenant_id = $1 AND plan_id = $2", tenant_id, plan_id
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


async def add_run(conn: Connection, tenant_id: UUID, event: RunFinished, at: datetime) -> bool:
    """Keeps a finished run; returns False if it is known already."""
    status = await conn.execute(
        """
        INSERT INTO runs (tenant_id, run_id, plan_id, number, outcome, files_total,
                          bytes_protected, summary, arrived_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT DO NOTHING
        """,
        tenant_id,
        event.run_id,
        event.plan_id,
        event.number,
        event.outcome,
        event.files_total,
        event.bytes_protected,
        event.model_dump_json(),
        at,
    )
    return status.endswith(" 1")


async def list_waiting_runs(conn: Connection, tenant_id: UUID) -> list[RunFinished]:
    """Returns the runs without a report whose plan is known, oldest number first."""
    rows = await conn.fetch(
        """
        SELECT summary FROM runs JOIN plans USING (tenant_id, plan_id)
        WHERE tenant_id = $1 AND reported_at IS NULL ORDER BY plan_id, number
        """,
        tenant_id,
    )
    return [RunFinished.model_validate_json(row["summary"]) for row in rows]


async def mark_reported(conn: Connection, tenant_id: UUID, run_id: UUID, at: datetime) -> None:
    await conn.execute(
        "UPDATE runs SET reported_at = $3 WHERE tenant_id = $1 AND run_id = $2",
        tenant_id,
        run_id,
        at,
    )


async def list_history(
    conn: Connection, tenant_id: UUID, plan_id: UUID, before: int, limit: int
) -> list[tuple[int, int]]:
    """Returns (files, protected bytes) of the last good runs of a plan before a number."""
    rows = await conn.fetch(
        """
        SELECT files_total, bytes_protected FROM runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number < $3 AND outcome <> 'failed'
        ORDER BY number DESC LIMIT $4
        """,
        tenant_id,
        plan_id,
        before,
        limit,
    )
    return [(row["files_total"], row["bytes_protected"]) for row in rows]
