"""What the portal keeps of other services' events; order and repetition change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection
from libs.shared.events import (
    AllowanceChanged,
    ExpiryCleared,
    ExpiryHeld,
    PlanDeclared,
    RunFinished,
    RunJudged,
    RunStarted,
    VolumeChanged,
)


def _without_nul(value: Any) -> Any:
    """A value of which PostgreSQL can keep every text: it knows no NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {key: _without_nul(one) for key, one in value.items()}
    return value


async def put_plan(conn: Connection, event: PlanDeclared) -> None:
    """Keeps a declaration unless a newer one is there."""
    await conn.execute(
        """
        INSERT INTO plans AS p (plan_id, tenant_id, version, agent_id, hostname, name, folders,
            schedule, timezone, recipients, reports)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (plan_id) DO UPDATE SET version = excluded.version,
            agent_id = excluded.agent_id, hostname = excluded.hostname, name = excluded.name,
            folders = excluded.folders, schedule = excluded.schedule,
            timezone = excluded.timezone, recipients = excluded.recipients,
            reports = excluded.reports
        WHERE p.tenant_id = excluded.tenant_id AND p.version < excluded.version
        """,
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
        """
        INSERT INTO plans (plan_id, tenant_id, version, agent_id, hostname, name)
        VALUES ($1, $2, 0, $3, $4, $5) ON CONFLICT (plan_id) DO NOTHING
        """,
        event.plan_id,
        event.tenant_id,
        event.agent_id,
        event.hostname,
        event.plan_name,
    )


async def add_started_run(conn: Connection, event: RunStarted) -> None:
    """Keeps a run that began; if its end is known already, nothing changes."""
    await conn.execute(
        """
        INSERT INTO runs (run_id, tenant_id, plan_id, number, started_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run_id) DO NOTHING
        """,
        event.run_id,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.started_at,
    )


async def put_finished_run(conn: Connection, event: RunFinished) -> None:
    """Keeps how a run ended; a run ends once, so the first word stays."""
    await conn.execute(
        """
        INSERT INTO runs AS r (run_id, tenant_id, plan_id, number, outcome, reason,
            started_at, finished_at, restore_point, files_total, files_new, files_changed,
            files_removed, files_not_copied, bytes_protected, bytes_sent, stored_bytes,
            not_copied, dumps, log_tail, warnings)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21)
        ON CONFLICT (run_id) DO UPDATE SET outcome = excluded.outcome,
            reason = excluded.reason,
            finished_at = excluded.finished_at, restore_point = excluded.restore_point,
            files_total = excluded.files_total, files_new = excluded.files_new,
            files_changed = excluded.files_changed, files_removed = excluded.files_removed,
            files_not_copied = excluded.files_not_copied,
            bytes_protected = excluded.bytes_protected, bytes_sent = excluded.bytes_sent,
            stored_bytes = excluded.stored_bytes, not_copied = excluded.not_copied,
            dumps = excluded.dumps, log_tail = excluded.log_tail,
            warnings = excluded.warnings
        WHERE r.tenant_id = excluded.tenant_id AND r.outcome IS NULL
        """,
        event.run_id,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.outcome,
        _without_nul(reasons.write(event.reason)),
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
        [_without_nul(one.as_dict()) for one in event.warnings],
    )


async def put_judgement(conn: Connection, event: RunJudged) -> None:
    """Keeps what a run was found to be beside those before; the first word stays."""
    await conn.execute(
        """
        INSERT INTO judgements (tenant_id, run_id, verdicts, figures, judged_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        event.tenant_id,
        event.run_id,
        [_without_nul(one.as_dict()) for one in event.verdicts],
        [one.model_dump() for one in event.figures],
        event.judged_at,
    )


async def put_hold(conn: Connection, event: ExpiryHeld) -> None:
    """Keeps that nothing of a plan expires, and since which run."""
    await conn.execute(
        """
        INSERT INTO expiry_holds (tenant_id, plan_id, number, since, reason, held_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.since,
        _without_nul(event.reason.as_dict()),
        event.held_at,
    )


async def put_clear(conn: Connection, event: ExpiryCleared) -> None:
    """Keeps up to which run of a plan what was unusual was meant."""
    await conn.execute(
        """
        INSERT INTO clears (tenant_id, plan_id, through, cleared_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
        """,
        event.tenant_id,
        event.plan_id,
        max(event.numbers),
        event.cleared_at,
    )


async def close_restore_points(
    conn: Connection, tenant_id: UUID, plan_id: UUID, numbers: Sequence[int]
) -> None:
    """Shows runs without their files, which have expired."""
    await conn.execute(
        """
        UPDATE runs SET restore_point = false
        WHERE tenant_id = $1 AND plan_id = $2 AND number = ANY($3::integer[])
        """,
        tenant_id,
        plan_id,
        list(numbers),
    )


async def put_volume(conn: Connection, event: VolumeChanged) -> None:
    """Keeps the volume of the highest sequence."""
    await conn.execute(
        """
        INSERT INTO volumes AS v (tenant_id, stored_bytes, protected_bytes, sequence)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE SET stored_bytes = excluded.stored_bytes,
            protected_bytes = excluded.protected_bytes, sequence = excluded.sequence
        WHERE v.sequence < excluded.sequence
        """,
        event.tenant_id,
        event.stored_bytes,
        event.protected_bytes,
        event.sequence,
    )


async def put_allowance(conn: Connection, event: AllowanceChanged) -> None:
    """Keeps the allowance of the highest version."""
    await conn.execute(
        """
        INSERT INTO allowances AS a (tenant_id, version, ceiling_bytes, blocked, reason)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version,
            ceiling_bytes = excluded.ceiling_bytes, blocked = excluded.blocked,
            reason = excluded.reason
        WHERE a.version < excluded.version
        """,
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
    """Keeps what became of one person's report; one that came back stays undelivered.

    In whichever order both are heard of: a mail server may take a mail and return it later.
    """
    await conn.execute(
        """
        INSERT INTO reports AS r (tenant_id, run_id, plan_id, recipient, sent_at, reason)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (run_id, recipient) DO UPDATE SET sent_at = excluded.sent_at,
            reason = excluded.reason
        WHERE r.reason = ''
        """,
        tenant_id,
        run_id,
        plan_id,
        recipient,
        sent_at,
        reason,
    )
