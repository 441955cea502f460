"""SQL of the plans that reporting knows."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import PlanDeclared, Reader, RecipientsChanged
from services.reporting.rules.plans import Audience, Plan

_PEOPLE = TypeAdapter(tuple[Reader, ...])


async def put(conn: Connection, tenant_id: UUID, event: PlanDeclared) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO plans AS p
            (tenant_id, plan_id, version, name, hostname, schedule, timezone, reports)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET
            version = $3, name = $4, hostname = $5, schedule = $6, timezone = $7,
            reports = $8
        WHERE p.version < $3
        """,
        tenant_id,
        event.plan_id,
        event.version,
        event.name,
        event.hostname,
        event.schedule,
        event.timezone,
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
        row["reports"],
    )


async def put_audience(conn: Connection, tenant_id: UUID, event: RecipientsChanged) -> bool:
    """Keeps who gets the plan's reports, the newer word; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO recipients AS r (tenant_id, plan_id, version, people, pending)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET
            version = $3, people = $4, pending = $5
        WHERE r.version < $3
        """,
        tenant_id,
        event.plan_id,
        event.version,
        _PEOPLE.dump_json(event.recipients).decode(),
        event.pending,
    )
    return database.changed(status) == 1


async def find_audience(conn: Connection, tenant_id: UUID, plan_id: UUID) -> Audience:
    """Who gets the plan's reports; nobody as long as the portal has said nothing."""
    row = await conn.fetchrow(
        """
        SELECT people, pending FROM recipients WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    return Audience(_PEOPLE.validate_json(row["people"]), row["pending"]) if row else Audience()


async def list_of_tenant(conn: Connection, tenant_id: UUID) -> list[Plan]:
    """Returns all plans of a client."""
    rows = await conn.fetch(
        """
        SELECT plan_id, name, hostname, schedule, timezone, reports FROM plans
        WHERE tenant_id = $1 ORDER BY plan_id
        """,
        tenant_id,
    )
    return [Plan(*row) for row in rows]


async def list_audiences(conn: Connection, tenant_id: UUID) -> list[Audience]:
    """Returns who gets the reports of each plan of a client that the portal told of."""
    rows = await conn.fetch(
        """
        SELECT people, pending FROM recipients WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return [Audience(_PEOPLE.validate_json(row["people"]), row["pending"]) for row in rows]


class Watched(NamedTuple):
    """Whose plan it is, since when its runs are expected, when its last good one was heard of."""

    tenant_id: UUID
    watched_since: datetime
    good_at: datetime | None


async def list_watched(conn: Connection) -> list[Watched]:
    """Returns when the last good run of each plan was heard of.

    Of plans that are paused, and of clients whose subscription has ended, nothing is told. One
    look into an index a plan.
    """
    rows = await conn.fetch(
        """
        SELECT e.tenant_id, e.watched_since, good.arrived_at
        FROM expected e JOIN tenants t ON t.tenant_id = e.tenant_id LEFT JOIN LATERAL (
            SELECT arrived_at FROM runs r
            WHERE r.tenant_id = e.tenant_id AND r.plan_id = e.plan_id AND r.outcome <> 'failed'
            ORDER BY number DESC LIMIT 1) good ON true
        WHERE e.note = '' AND t.subscription IN ('active', 'ending')
        """
    )
    return [Watched(*row) for row in rows]
