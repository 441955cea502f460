"""SQL of the hotline's incidents, of runs that never came, of requests for help and of pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import HelpAsked, IncidentReported, PlanPaused, RunMissed
from services.portal.rules import incidents
from services.portal.rules.incidents import Which

_COLUMNS = """incident_id, i.tenant_id, t.name AS client, i.plan_id, p.name AS plan, cause,
    opened_at, last_at, times, escalated_at, acknowledged_by, snoozed_until, note, closed_at,
    closed_by"""
_NAMED = """LEFT JOIN tenants t ON t.tenant_id = i.tenant_id
    LEFT JOIN plans p ON p.tenant_id = i.tenant_id AND p.plan_id = i.plan_id"""


@dataclass(frozen=True)
class HelpRequest:
    """Who asked for help with a run, when, and what they wrote."""

    asked_by: str
    asked_at: datetime
    message: str


@dataclass(frozen=True)
class Incident:
    """An incident as reporting told it last, with the names of what it is about."""

    incident_id: UUID
    tenant_id: UUID
    client: str | None
    plan_id: UUID | None
    plan: str | None
    cause: str
    opened_at: datetime
    last_at: datetime
    times: int
    escalated_at: datetime | None
    acknowledged_by: str
    snoozed_until: datetime | None
    note: str
    closed_at: datetime | None
    closed_by: str


async def put(conn: Connection, told: IncidentReported) -> None:
    """Keeps the newer word."""
    await conn.execute(
        """
        INSERT INTO incidents AS i (tenant_id, incident_id, version, plan_id, cause, rank,
            opened_at, last_at, times, escalated_at, acknowledged_by, snoozed_until, note,
            closed_at, closed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (incident_id) DO UPDATE SET version = $3, rank = $6, last_at = $8, times = $9,
            escalated_at = $10, acknowledged_by = $11, snoozed_until = $12, note = $13,
            closed_at = $14, closed_by = $15
        WHERE i.version < $3
        """,
        told.tenant_id,
        told.incident_id,
        told.version,
        told.plan_id,
        told.cause,
        incidents.find_rank(told),
        told.opened_at,
        told.last_at,
        told.times,
        told.escalated_at,
        told.acknowledged_by,
        told.snoozed_until,
        told.note,
        told.closed_at,
        told.closed_by,
    )


async def list_some(
    conn: Connection, which: Which, tenant_id: UUID | None, cause: str | None, limit: int
) -> list[Incident]:
    """The open ones, the worst first, or the closed ones, the newest first."""
    is_so, order = {
        "open": ("closed_at IS NULL", "rank, opened_at, incident_id"),
        "closed": ("closed_at IS NOT NULL", "closed_at DESC, incident_id"),
    }[which]
    # Said apart, so that PostgreSQL plans for one cause what it would not for any.
    of_cause = "$2::text IS NULL" if cause is None else "cause = $2::text"
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT * FROM incidents WHERE {is_so} AND ($1::uuid IS NULL OR tenant_id = $1)
                AND {of_cause}
            ORDER BY {order} LIMIT $3) i {_NAMED}
        ORDER BY {order}
        """,
        tenant_id,
        cause,
        limit,
    )
    return [Incident(**row) for row in rows]


async def find(conn: Connection, incident_id: UUID) -> Incident | None:
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM incidents i {_NAMED} WHERE incident_id = $1
        """,
        incident_id,
    )
    return Incident(**row) if row else None


async def anticipate(
    conn: Connection,
    incident_id: UUID,
    rank: int,
    acknowledged_by: str,
    snoozed_until: datetime | None,
    note: str,
    closed_at: datetime | None,
    closed_by: str,
) -> None:
    """Shows what was decided before reporting tells of it: its next version overrides this."""
    await conn.execute(
        """
        UPDATE incidents SET rank = $2, acknowledged_by = $3, snoozed_until = $4, note = $5,
            closed_at = $6, closed_by = $7
        WHERE incident_id = $1
        """,
        incident_id,
        rank,
        acknowledged_by,
        snoozed_until,
        note,
        closed_at,
        closed_by,
    )


async def put_miss(conn: Connection, told: RunMissed) -> None:
    """Keeps that a run never came."""
    await conn.execute(
        """
        INSERT INTO misses (tenant_id, plan_id, missed_at, since, times)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        told.tenant_id,
        told.plan_id,
        told.missed_at,
        told.since,
        told.times,
    )


async def list_late(conn: Connection, tenant_id: UUID) -> dict[UUID, datetime]:
    """A client's plans whose run was due and has not come yet, and since when."""
    rows = await conn.fetch(
        """
        SELECT plan_id, opened_at FROM incidents
        WHERE tenant_id = $1 AND cause = 'missed' AND closed_at IS NULL AND plan_id IS NOT NULL
        """,
        tenant_id,
    )
    return {row[0]: row[1] for row in rows}


async def prune_misses(conn: Connection, before: datetime) -> None:
    """Forgets what was missed before then."""
    await conn.execute(
        """
        DELETE FROM misses WHERE missed_at < $1
        """,
        before,
    )


async def find_run(conn: Connection, tenant_id: UUID, run_id: UUID) -> tuple[UUID, int] | None:
    """(plan, number) of a client's run."""
    row = await conn.fetchrow(
        """
        SELECT plan_id, number FROM runs WHERE tenant_id = $1 AND run_id = $2
        """,
        tenant_id,
        run_id,
    )
    return (row[0], row[1]) if row else None


async def count_help(conn: Connection, tenant_id: UUID, since: datetime) -> int:
    """How often a client asked for help."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM help_requests WHERE tenant_id = $1 AND asked_at >= $2
        """,
        tenant_id,
        since,
    )
    return count


async def add_help(conn: Connection, asked: HelpAsked) -> None:
    """Keeps who asked for help with which run, when, and in what words."""
    await conn.execute(
        """
        INSERT INTO help_requests (tenant_id, help_id, run_id, asked_by, asked_at, message)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        asked.tenant_id,
        asked.help_id,
        asked.run_id,
        asked.by,
        asked.asked_at,
        asked.message,
    )


async def has_help(conn: Connection, tenant_id: UUID, help_id: UUID) -> bool:
    """Whether this request for help is kept already."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM help_requests WHERE tenant_id = $1 AND help_id = $2)
        """,
        tenant_id,
        help_id,
    )
    return found


async def list_help(conn: Connection, tenant_id: UUID, run_id: UUID) -> list[HelpRequest]:
    """Who asked for help with a run, the first one first."""
    rows = await conn.fetch(
        """
        SELECT asked_by, asked_at, message FROM help_requests
        WHERE tenant_id = $1 AND run_id = $2 ORDER BY asked_at
        """,
        tenant_id,
        run_id,
    )
    return [HelpRequest(**row) for row in rows]


async def next_pause(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """The version of the next pause of a plan."""
    version: int = await conn.fetchval(
        """
        SELECT coalesce(max(version), 0) + 1 FROM pauses WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    return version


async def put_pause(conn: Connection, paused: PlanPaused) -> None:
    """Keeps until when no run of a plan is expected."""
    await conn.execute(
        """
        INSERT INTO pauses (tenant_id, plan_id, version, until, reason, paused_by, paused_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE
            SET version = $3, until = $4, reason = $5, paused_by = $6, paused_at = $7
        """,
        paused.tenant_id,
        paused.plan_id,
        paused.version,
        paused.until,
        paused.reason,
        paused.by,
        paused.paused_at,
    )
