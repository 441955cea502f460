"""What clients and operators are shown of plans, runs, machines and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection, Record
from libs.shared.events import DumpResult, JudgedFigure, MovedBytes, NotCopied, Outcome
from libs.shared.reasons import Reason


@dataclass(frozen=True)
class Plan:
    """A plan as its client sees it; `schedule` is empty until its declaration arrived.

    platform: its machine's system; withdrawn_at: since when that may send no more."""

    plan_id: UUID
    name: str
    hostname: str
    platform: str
    agent_id: UUID
    folders: list[str]
    schedule: str
    timezone: str
    recipients: list[str]
    reports: bool
    last_restore_point: int | None
    withdrawn_at: datetime | None


@dataclass(frozen=True)
class Run:
    """A run; without an outcome it is under way. reason: why it failed.

    verdicts: why it is unusual; cleared_at: when an operator said that this was meant.
    """

    run_id: UUID
    plan_id: UUID
    number: int
    outcome: Outcome | None
    reason: Reason | None
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
    bytes_read: int | None
    stored_bytes: int
    not_copied: list[NotCopied]
    dumps: list[DumpResult]
    warnings: list[Reason]
    verdicts: list[Reason]
    figures: list[JudgedFigure]
    moved: list[MovedBytes]
    cleared_at: datetime | None

    @property
    def lasted(self) -> timedelta | None:
        """How long it took; None while it is under way."""
        return self.finished_at - self.started_at if self.finished_at else None


@dataclass(frozen=True)
class ClientVolume:
    """What is kept for a tenant, and what quota says of it.

    ceiling_bytes: how far it may grow, None before quota said so. blocked_reason: an operator's
    words, or why in the client's language; ended_at: the deadline that it is about, if one is.
    deadline_at: of its open case, the one that its answer leaves.
    """

    stored_bytes: int
    protected_bytes: int
    ceiling_bytes: int | None
    blocked: bool
    blocked_reason: str
    ended_at: datetime | None
    deadline_at: datetime | None


@dataclass(frozen=True)
class Verified:
    """All that is stored was found intact at `since` or later; None where nothing is.

    damaged_at: when damage was found last, while any of what was damaged is left.
    """

    since: datetime | None
    damaged_at: datetime | None


_RUN_COLUMNS = """r.run_id, plan_id, number, outcome, reason, started_at, finished_at,
    restore_point, files_total, files_new, files_changed, files_removed, files_not_copied,
    bytes_protected, bytes_sent, bytes_read, stored_bytes, not_copied, dumps, warnings,
    coalesce(j.verdicts, '[]') AS verdicts, coalesce(j.figures, '[]') AS figures,
    coalesce(j.moved, '[]') AS moved,
    (SELECT min(c.cleared_at) FROM clears c WHERE c.tenant_id = r.tenant_id
        AND c.plan_id = r.plan_id AND c.through >= r.number) AS cleared_at"""
_JUDGED = "LEFT JOIN judgements j ON j.tenant_id = r.tenant_id AND j.run_id = r.run_id"


def _run(row: Record) -> Run:
    return Run(
        **{
            **row,
            "reason": reasons.read(row["reason"]),
            "not_copied": [NotCopied.model_validate(one) for one in row["not_copied"]],
            "dumps": [DumpResult.model_validate(one) for one in row["dumps"]],
            "warnings": [read for one in row["warnings"] if (read := reasons.read(one))],
            "verdicts": [read for one in row["verdicts"] if (read := reasons.read(one))],
            "figures": [JudgedFigure.model_validate(one) for one in row["figures"]],
            "moved": [MovedBytes.model_validate(one) for one in row["moved"]],
        }
    )


async def list_plans(conn: Connection, tenant_id: UUID) -> list[Plan]:
    """A tenant's plans by name: those that the catalogue has, with what events told of them."""
    rows = await conn.fetch(
        """
        SELECT coalesce(c.plan_id, p.plan_id) AS plan_id,
               coalesce(p.name, c.name) AS name,
               coalesce(p.hostname, a.hostname, '') AS hostname,
               coalesce(a.platform, '') AS platform,
               coalesce(p.agent_id, c.agent_id) AS agent_id,
               coalesce(p.folders, '[]') AS folders, coalesce(p.schedule, '') AS schedule,
               coalesce(p.timezone, '') AS timezone,
               coalesce(p.recipients, '[]') AS recipients, coalesce(p.reports, true) AS reports,
               c.last_run AS last_restore_point, a.revoked_at AS withdrawn_at
        FROM (SELECT * FROM catalogue.plans WHERE tenant_id = $1) c
        FULL JOIN (SELECT * FROM portal.plans WHERE tenant_id = $1) p USING (plan_id)
        LEFT JOIN portal.agents a
            ON a.agent_id = coalesce(c.agent_id, p.agent_id) AND a.tenant_id = $1
        ORDER BY lower(coalesce(p.name, c.name)), 3, 1
        """,
        tenant_id,
    )
    return [Plan(**row) for row in rows]


async def list_latest_runs(
    conn: Connection, tenant_id: UUID, plan_ids: list[UUID], each: int
) -> dict[UUID, list[Run]]:
    """The newest runs of several plans, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_RUN_COLUMNS} FROM unnest($2::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT * FROM runs WHERE tenant_id = $1 AND plan_id = wanted.id
            ORDER BY number DESC LIMIT $3
        ) r {_JUDGED} ORDER BY plan_id, number DESC
        """,
        tenant_id,
        plan_ids,
        each,
    )
    found: dict[UUID, list[Run]] = {plan_id: [] for plan_id in plan_ids}
    for row in rows:
        found[row["plan_id"]].append(_run(row))
    return found


async def list_runs(
    conn: Connection, tenant_id: UUID, plan_id: UUID, *, before: int, limit: int
) -> list[Run]:
    """A plan's runs with a number under `before`, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_RUN_COLUMNS} FROM runs r {_JUDGED}
        WHERE r.tenant_id = $1 AND plan_id = $2 AND number < $3
        ORDER BY number DESC LIMIT $4
        """,
        tenant_id,
        plan_id,
        before,
        limit,
    )
    return [_run(row) for row in rows]


async def find_run(conn: Connection, tenant_id: UUID, plan_id: UUID, number: int) -> Run | None:
    """One run of a plan."""
    row = await conn.fetchrow(
        f"""
        SELECT {_RUN_COLUMNS} FROM runs r {_JUDGED}
        WHERE r.tenant_id = $1 AND plan_id = $2 AND number = $3
        ORDER BY started_at DESC LIMIT 1
        """,
        tenant_id,
        plan_id,
        number,
    )
    return _run(row) if row else None


async def find_good(conn: Connection, tenant_id: UUID, plan_id: UUID, before: int) -> Run | None:
    """The last run with a number under `before` that left a restore point."""
    row = await conn.fetchrow(
        f"""
        SELECT {_RUN_COLUMNS} FROM runs r {_JUDGED}
        WHERE r.tenant_id = $1 AND plan_id = $2 AND number < $3 AND restore_point
        ORDER BY number DESC LIMIT 1
        """,
        tenant_id,
        plan_id,
        before,
    )
    return _run(row) if row else None


async def find_beside(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int
) -> tuple[int | None, int | None]:
    """The numbers of the runs before and after one."""
    row = await conn.fetchrow(
        """
        SELECT (SELECT max(number) FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND number < $3),
               (SELECT min(number) FROM runs WHERE tenant_id = $1 AND plan_id = $2 AND number > $3)
        """,
        tenant_id,
        plan_id,
        number,
    )
    assert row is not None  # the query makes its one row itself
    return row[0], row[1]


async def find_volume(conn: Connection, tenant_id: UUID) -> ClientVolume:
    """What is kept for a tenant; nothing until the first event says otherwise."""
    row = await conn.fetchrow(
        """
        SELECT coalesce(v.stored_bytes, 0) AS stored_bytes,
               coalesce(v.protected_bytes, 0) AS protected_bytes,
               a.ceiling_bytes, coalesce(a.blocked, false) AS blocked,
               coalesce(a.reason, '') AS blocked_reason, a.ended_at,
               (SELECT max(CASE WHEN given.answer IS NULL THEN o.deadline_at ELSE o.final_at END)
                FROM overages o LEFT JOIN overage_answers given USING (case_id)
                WHERE o.tenant_id = $1 AND o.is_open) AS deadline_at
        FROM (SELECT $1::uuid AS tenant_id) t
        LEFT JOIN volumes v USING (tenant_id) LEFT JOIN allowances a USING (tenant_id)
        """,
        tenant_id,
    )
    assert row is not None  # the query makes its one row itself
    return ClientVolume(**row)


async def find_verified(conn: Connection, tenant_id: UUID) -> Verified:
    """When what is stored for a tenant was verified, by the packs that hold it."""
    row = await conn.fetchrow(
        """
        SELECT (SELECT min(greatest(verified_at, stored_at)) FROM catalogue.packs
         WHERE tenant_id = $1 AND state = 'live') AS since,
        (SELECT max(damaged_at) FROM catalogue.packs
         WHERE tenant_id = $1 AND state = 'damaged') AS damaged_at
        """,
        tenant_id,
    )
    assert row is not None  # the query makes its one row itself
    return Verified(**row)


@dataclass(frozen=True)
class SentReport:
    """What became of one person's report of a run, and the mail as it was sent, where it was.

    sent_at: None for one that nobody got; reason: why.
    """

    recipient: str
    sent_at: datetime | None
    reason: str
    subject: str
    body: str


async def list_reports(conn: Connection, tenant_id: UUID, run_id: UUID) -> list[SentReport]:
    """The reports of a run."""
    rows = await conn.fetch(
        """
        SELECT recipient, sent_at, reason, subject, body FROM reports
        WHERE tenant_id = $1 AND run_id = $2 ORDER BY recipient
        """,
        tenant_id,
        run_id,
    )
    return [SentReport(**row) for row in rows]


async def list_unreached(conn: Connection, tenant_id: UUID, run_ids: list[UUID]) -> list[str]:
    """To whom reports of these runs could not be delivered."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT recipient FROM reports
        WHERE tenant_id = $1 AND run_id = ANY($2::uuid[]) AND sent_at IS NULL ORDER BY recipient
        """,
        tenant_id,
        run_ids,
    )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class NamedPlan:
    """A plan and the machine that it belongs to, which may have been withdrawn."""

    plan_id: UUID
    name: str
    hostname: str
    is_withdrawn: bool


async def find_plans_by_name(conn: Connection, tenant_id: UUID, name: str) -> list[NamedPlan]:
    """A tenant's plans of one name: several machines may use the same."""
    rows = await conn.fetch(
        """
        SELECT c.plan_id, c.name, coalesce(a.hostname, '') AS hostname,
            a.revoked_at IS NOT NULL AS is_withdrawn
        FROM catalogue.plans c
        LEFT JOIN portal.agents a ON a.agent_id = c.agent_id AND a.tenant_id = c.tenant_id
        WHERE c.tenant_id = $1 AND c.name = $2 ORDER BY a.hostname, c.plan_id
        """,
        tenant_id,
        name,
    )
    return [NamedPlan(**row) for row in rows]
