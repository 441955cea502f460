"""What the portal keeps of other services' events, to show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import (
    AgentEnrolled,
    AllowanceChanged,
    Outcome,
    PlanDeclared,
    RunFinished,
    RunStarted,
    VolumeChanged,
)


@dataclass(frozen=True)
class Plan:
    """A plan as its client sees it; `schedule` is empty until its declaration arrived."""

    plan_id: UUID
    name: str
    hostname: str
    agent_id: UUID
    folders: list[str]
    schedule: str
    timezone: str
    recipients: list[str]
    reports: bool
    last_restore_point: int | None


@dataclass(frozen=True)
class Run:
    """A run; without an outcome it is under way."""

    run_id: UUID
    plan_id: UUID
    number: int
    outcome: Outcome | None
    reason_code: str
    reason: str
    started_at: datetime
    finished_at: datetime | None
    restore_point: bool
    files_total: int
    files_new: int
    files_changed: int
    files_removed: int
    files_not_copied: int
    bytes_protected: int
    bytes_sent: int
    stored_bytes: int
    not_copied: list[dict[str, Any]]
    dumps: list[dict[str, Any]]


@dataclass(frozen=True)
class Agent:
    """An enrolled machine."""

    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class Volume:
    """What is kept for a tenant, and what quota says of it."""

    stored_bytes: int
    protected_bytes: int
    blocked: bool
    blocked_reason: str


_RUN_COLUMNS = """run_id, plan_id, number, outcome, reason_code, reason, started_at, finished_at,
    restore_point, files_total, files_new, files_changed, files_removed, files_not_copied,
    bytes_protected, bytes_sent, stored_bytes, not_copied, dumps"""


def _without_nul(value: Any) -> Any:
    """A value of which PostgreSQL can keep every text: it knows no NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {key: _without_nul(one) for key, one in value.items()}
    return value


async def add_agent(conn: Connection, event: AgentEnrolled) -> None:
    """Keeps a machine that joined; it may have been told before."""
    await conn.execute(
        """INSERT INTO agents (agent_id, tenant_id, hostname, platform, agent_version, enrolled_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (agent_id) DO NOTHING""",
        event.agent_id,
        event.tenant_id,
        event.hostname,
        event.platform,
        event.agent_version,
        event.enrolled_at,
    )


async def put_plan(conn: Connection, event: PlanDeclared) -> None:
    """Keeps a declaration unless a newer one is there."""
    await conn.execute(
        """INSERT INTO plans AS p (plan_id, tenant_id, version, agent_id, hostname, name, folders,
               schedule, timezone, recipients, reports)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           ON CONFLICT (plan_id) DO UPDATE SET version = excluded.version,
               agent_id = excluded.agent_id, hostname = excluded.hostname, name = excluded.name,
               folders = excluded.folders, schedule = excluded.schedule,
               timezone = excluded.timezone, recipients = excluded.recipients,
               reports = excluded.reports
           WHERE p.tenant_id = excluded.tenant_id AND p.version < excluded.version""",
        event.plan_id,
        event.tenant_id,
        event.version,
        event.agent_id,
        event.hostname,
        event.name,
        list(event.folders),
        event.schedule,
        event.timezone,
        list(event.recipients),
        event.reports,
    )


async def add_plan_of_run(conn: Connection, event: RunFinished) -> None:
    """Keeps what a run says of its plan, where the declaration hasn't arrived yet."""
    await conn.execute(
        """INSERT INTO plans (plan_id, tenant_id, version, agent_id, hostname, name)
           VALUES ($1, $2, 0, $3, $4, $5) ON CONFLICT (plan_id) DO NOTHING""",
        event.plan_id,
        event.tenant_id,
        event.agent_id,
        event.hostname,
        event.plan_name,
    )


async def add_started_run(conn: Connection, event: RunStarted) -> None:
    """Keeps a run that began; if its end is known already, nothing changes."""
    await conn.execute(
        """INSERT INTO runs (run_id, tenant_id, plan_id, number, started_at)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run_id) DO NOTHING""",
        event.run_id,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.started_at,
    )


async def put_finished_run(conn: Connection, event: RunFinished) -> None:
    """Keeps how a run ended; a run ends once, so the first word stays."""
    await conn.execute(
        """INSERT INTO runs AS r (run_id, tenant_id, plan_id, number, outcome, reason_code, reason,
               started_at, finished_at, restore_point, files_total, files_new, files_changed,
               files_removed, files_not_copied, bytes_protected, bytes_sent, stored_bytes,
               not_copied, dumps, log_tail)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
               $19, $20, $21)
           ON CONFLICT (run_id) DO UPDATE SET outcome = excluded.outcome,
               reason_code = excluded.reason_code, reason = excluded.reason,
               finished_at = excluded.finished_at, restore_point = excluded.restore_point,
               files_total = excluded.files_total, files_new = excluded.files_new,
               files_changed = excluded.files_changed, files_removed = excluded.files_removed,
               files_not_copied = excluded.files_not_copied,
               bytes_protected = excluded.bytes_protected, bytes_sent = excluded.bytes_sent,
               stored_bytes = excluded.stored_bytes, not_copied = excluded.not_copied,
               dumps = excluded.dumps, log_tail = excluded.log_tail
           WHERE r.tenant_id = excluded.tenant_id AND r.outcome IS NULL""",
        event.run_id,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.outcome,
        event.reason_code,
        _without_nul(event.reason),
        event.started_at,
        event.finished_at,
        event.restore_point,
        event.files_total,
        event.files_new,
        event.files_changed,
        event.files_removed,
        event.files_not_copied,
        event.bytes_protected,
        event.bytes_sent,
        event.stored_bytes,
        [_without_nul(one.model_dump()) for one in event.not_copied],
        [_without_nul(one.model_dump()) for one in event.dumps],
        _without_nul(event.log_tail),
    )


async def put_volume(conn: Connection, event: VolumeChanged) -> None:
    """Keeps the volume of the highest sequence."""
    await conn.execute(
        """INSERT INTO volumes AS v (tenant_id, stored_bytes, protected_bytes, sequence)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant_id) DO UPDATE SET stored_bytes = excluded.stored_bytes,
               protected_bytes = excluded.protected_bytes, sequence = excluded.sequence
           WHERE v.sequence < excluded.sequence""",
        event.tenant_id,
        event.stored_bytes,
        event.protected_bytes,
        event.sequence,
    )


async def put_allowance(conn: Connection, event: AllowanceChanged) -> None:
    """Keeps the allowance of the highest version."""
    await conn.execute(
        """INSERT INTO allowances AS a (tenant_id, version, ceiling_bytes, blocked, reason)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version,
               ceiling_bytes = excluded.ceiling_bytes, blocked = excluded.blocked,
               reason = excluded.reason
           WHERE a.version < excluded.version""",
        event.tenant_id,
        event.version,
        event.ceiling_bytes,
        event.blocked,
        event.reason,
    )


async def put_report(
    conn: Connection,
    tenant_id: UUID,
    run_id: UUID,
    plan_id: UUID,
    recipient: str,
    *,
    sent_at: datetime | None,
    reason: str,
) -> None:
    """Keeps what became of one person's report; one that was sent stays sent."""
    await conn.execute(
        """INSERT INTO reports AS r (tenant_id, run_id, plan_id, recipient, sent_at, reason)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (run_id, recipient) DO UPDATE SET sent_at = excluded.sent_at,
               reason = excluded.reason
           WHERE r.sent_at IS NULL""",
        tenant_id,
        run_id,
        plan_id,
        recipient,
        sent_at,
        reason,
    )


async def list_plans(conn: Connection, tenant_id: UUID) -> list[Plan]:
    """A tenant's plans by name: those that the catalogue has, with what events told of them."""
    rows = await conn.fetch(
        """SELECT coalesce(c.plan_id, p.plan_id) AS plan_id,
                  coalesce(p.name, c.name) AS name,
                  coalesce(p.hostname, a.hostname, '') AS hostname,
                  coalesce(p.agent_id, c.agent_id) AS agent_id,
                  coalesce(p.folders, '[]') AS folders, coalesce(p.schedule, '') AS schedule,
                  coalesce(p.timezone, '') AS timezone,
                  coalesce(p.recipients, '[]') AS recipients, coalesce(p.reports, true) AS reports,
                  c.last_run AS last_restore_point
           FROM (SELECT * FROM catalogue.plans WHERE tenant_id = $1) c
           FULL JOIN (SELECT * FROM portal.plans WHERE tenant_id = $1) p USING (plan_id)
           LEFT JOIN portal.agents a ON a.agent_id = c.agent_id AND a.tenant_id = $1
           ORDER BY lower(coalesce(p.name, c.name)), 3, 1""",
        tenant_id,
    )
    return [Plan(**row) for row in rows]


async def list_latest_runs(
    conn: Connection, tenant_id: UUID, plan_ids: list[UUID], each: int
) -> dict[UUID, list[Run]]:
    """The newest runs of several plans, newest first."""
    rows = await conn.fetch(
        f"""SELECT {_RUN_COLUMNS} FROM unnest($2::uuid[]) AS wanted (id)
            CROSS JOIN LATERAL (
                SELECT * FROM runs WHERE tenant_id = $1 AND plan_id = wanted.id
                ORDER BY number DESC LIMIT $3
            ) r ORDER BY plan_id, number DESC""",  # noqa: S608 - a constant
        tenant_id,
        plan_ids,
        each,
    )
    found: dict[UUID, list[Run]] = {plan_id: [] for plan_id in plan_ids}
    for row in rows:
        found[row["plan_id"]].append(Run(**row))
    return found


async def list_runs(
    conn: Connection, tenant_id: UUID, plan_id: UUID, *, before: int, limit: int
) -> list[Run]:
    """A plan's runs with a number under `before`, newest first."""
    rows = await conn.fetch(
        f"""SELECT {_RUN_COLUMNS} FROM runs
            WHERE tenant_id = $1 AND plan_id = $2 AND number < $3
            ORDER BY number DESC LIMIT $4""",  # noqa: S608 - a constant
        tenant_id,
        plan_id,
        before,
        limit,
    )
    return [Run(**row) for row in rows]


async def find_run(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> Run | None:
    """One run of a plan."""
    row = await conn.fetchrow(
        f"""SELECT {_RUN_COLUMNS} FROM runs
            WHERE tenant_id = $1 AND plan_id = $2 AND number = $3
            ORDER BY started_at DESC LIMIT 1""",  # noqa: S608 - a constant
        tenant_id,
        plan_id,
        number,
    )
    return Run(**row) if row else None


async def list_agents(conn: Connection, tenant_id: UUID) -> list[Agent]:
    """A tenant's machines, by name."""
    rows = await conn.fetch(
        """SELECT agent_id, hostname, platform, agent_version, enrolled_at, revoked_at
           FROM agents WHERE tenant_id = $1 ORDER BY lower(hostname), enrolled_at""",
        tenant_id,
    )
    return [Agent(**row) for row in rows]


async def find_volume(conn: Connection, tenant_id: UUID) -> Volume:
    """What is kept for a tenant; nothing until the first event says otherwise."""
    row = await conn.fetchrow(
        """SELECT coalesce(v.stored_bytes, 0) AS stored_bytes,
                  coalesce(v.protected_bytes, 0) AS protected_bytes,
                  coalesce(a.blocked, false) AS blocked, coalesce(a.reason, '') AS blocked_reason
           FROM (SELECT $1::uuid AS tenant_id) t
           LEFT JOIN volumes v USING (tenant_id) LEFT JOIN allowances a USING (tenant_id)""",
        tenant_id,
    )
    assert row is not None  # the query makes its one row itself
    return Volume(**row)


async def list_reports(
    conn: Connection, tenant_id: UUID, run_id: UUID
) -> list[tuple[str, datetime | None, str]]:
    """(recipient, when it was sent, why not) of a run's reports."""
    rows = await conn.fetch(
        """SELECT recipient, sent_at, reason FROM reports
           WHERE tenant_id = $1 AND run_id = $2 ORDER BY recipient""",
        tenant_id,
        run_id,
    )
    return [tuple(row) for row in rows]
