"""What the portal keeps of other services' events; order and repetition change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection, changed
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
            not_copied, dumps, log_tail, warnings, bytes_read)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22)
        ON CONFLICT (run_id) DO UPDATE SET outcome = excluded.outcome,
            reason = excluded.reason,
            finished_at = excluded.finished_at, restore_point = excluded.restore_point,
            files_total = excluded.files_total, files_new = excluded.files_new,
            files_changed = excluded.files_changed, files_removed = excluded.files_removed,
            files_not_copied = excluded.files_not_copied,
            bytes_protected = excluded.bytes_protected, bytes_sent = excluded.bytes_sent,
            stored_bytes = excluded.stored_bytes, not_copied = excluded.not_copied,
            dumps = excluded.dumps, log_tail = excluded.log_tail,
            warnings = excluded.warnings, bytes_read = excluded.bytes_read
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
        event.bytes_read,
    )


async def note_last_ended(conn: Connection, event: RunFinished) -> None:
    """Keeps beside the plan how its last run ended, unless a later one is known."""
    await conn.execute(
        """
        UPDATE plans SET last_number = $3, last_outcome = $4, last_finished_at = $5
        WHERE tenant_id = $1 AND plan_id = $2
          AND coalesce((last_number, last_finished_at) <= ($3, $5), true)
        """,
        event.tenant_id,
        event.plan_id,
        event.number,
        event.outcome,
        event.finished_at,
    )


async def note_all_last_ended(conn: Connection) -> int:
    """The same of all plans, by the runs that are known; returns of how many it was not so.

    A portal of before 0037 hears of runs as well, while it is replaced or has been put back.
    """
    status = await conn.execute(
        """
        UPDATE plans p
        SET last_number = r.number, last_outcome = r.outcome, last_finished_at = r.finished_at
        FROM plans q CROSS JOIN LATERAL (
            SELECT number, outcome, finished_at FROM runs
            WHERE tenant_id = q.tenant_id AND plan_id = q.plan_id AND outcome IS NOT NULL
            ORDER BY number DESC LIMIT 1
        ) r
        WHERE p.tenant_id = q.tenant_id AND p.plan_id = q.plan_id
          AND (p.last_number, p.last_outcome, p.last_finished_at)
              IS DISTINCT FROM (r.number, r.outcome, r.finished_at)
          AND coalesce((p.last_number, p.last_finished_at) <= (r.number, r.finished_at), true)
        """
    )
    return changed(status)


async def put_judgement(conn: Connection, event: RunJudged) -> None:
    """Keeps what a run was found to be beside those before; the first word stays."""
    await conn.execute(
        """
        INSERT INTO judgements (tenant_id, run_id, verdicts, figures, judged_at, moved)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        event.tenant_id,
        event.run_id,
        [_without_nul(one.as_dict()) for one in event.verdicts],
        [one.model_dump() for one in event.figures],
        event.judged_at,
        [one.model_dump() for one in event.moved],
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
        INSERT INTO allowances AS a (tenant_id, version, ceiling_bytes, blocked, reason, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version,
            ceiling_bytes = excluded.ceiling_bytes, blocked = excluded.blocked,
            reason = excluded.reason, ended_at = excluded.ended_at
        WHERE a.version < excluded.version
        """,
        event.tenant_id,
        event.version,
        event.ceiling_bytes,
        event.blocked,
        event.reason,
        event.ended_at,
    )


async def put_report(
    conn: Connection,
    tenant_id: UUID,
    run_id: UUID,
    plan_id: UUID,
    recipient: str,
    *,
    now: datetime,
    sent_at: datetime | None,
    reason: str = "",
    subject: str = "",
    text: str = "",
) -> None:
    """Keeps what became of one person's report; one that came back stays undelivered.

    In whichever order both are heard of: a mail server may take a mail and return it later.
    subject, text: of the mail as it was sent; its age is counted from `now`.
    """
    await conn.execute(
        """
        INSERT INTO reports AS r (tenant_id, run_id, plan_id, recipient, sent_at, reason, subject,
            body, body_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (run_id, recipient) DO UPDATE SET
            sent_at = CASE WHEN r.reason = '' THEN excluded.sent_at ELSE r.sent_at END,
            reason = CASE WHEN r.reason = '' THEN excluded.reason ELSE r.reason END,
            subject = coalesce(nullif(excluded.subject, ''), r.subject),
            body = coalesce(nullif(excluded.body, ''), r.body),
            body_at = CASE WHEN excluded.body = '' THEN r.body_at ELSE excluded.body_at END
        """,
        tenant_id,
        run_id,
        plan_id,
        recipient,
        sent_at,
        _without_nul(reason),
        _without_nul(subject),
        _without_nul(text),
        now,
    )


async def forget_mails(conn: Connection, before: datetime, most: int) -> None:
    """Forgets the texts that came before then, the oldest first; that they were sent stays."""
    await conn.execute(
        """
        UPDATE reports SET body = ''
        WHERE (run_id, recipient) IN (
            SELECT run_id, recipient FROM reports WHERE body <> '' AND body_at < $1
            ORDER BY body_at LIMIT $2
        )
        """,
        before,
        most,
    )
