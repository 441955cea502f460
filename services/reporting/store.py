"""All SQL of reporting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from libs.shared.database import Connection
from libs.shared.events import PlanDeclared, Recipient, RunFinished, TenantChanged
from services.reporting.rules import Kind, Plan, Tenant

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
    return _count(status) == 1


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
    return _count(status) == 1


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
    return _count(status) == 1


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


# --- the mail queue -----------------------------------------------------------------------------

QUEUE_CHANNEL = "reporting_mail"
SENDER_LOCK = "reporting.sender"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the queue. Its body is there until it is sent, if it is secret."""

    mail_id: UUID
    tenant_id: UUID
    kind: Kind
    subject_id: UUID
    plan_id: UUID | None
    recipient: str
    message_id: str
    subject: str
    body: bytes
    secret: bool
    give_up_at: datetime
    tries: int


async def add_mail(
    conn: Connection,
    tenant_id: UUID,
    mail: Mail,
    *,
    state: str,
    answer: str,
    at: datetime,
) -> bool:
    """Puts a mail in the queue (state `queued`) or straight among the `undeliverable`.

    Returns False if this person has this mail already. The sender is woken by the commit.
    """
    status = await conn.execute(
        """
        INSERT INTO mails (mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id,
                           subject, body, secret, state, created_at, due_at, give_up_at,
                           last_answer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14)
        ON CONFLICT DO NOTHING
        """,
        mail.mail_id,
        tenant_id,
        mail.kind,
        mail.subject_id,
        mail.plan_id,
        mail.recipient,
        mail.message_id,
        mail.subject,
        None if mail.secret and state != "queued" else mail.body,
        mail.secret,
        state,
        at,
        mail.give_up_at,
        answer,
    )
    await conn.execute("SELECT pg_notify($1, '')", QUEUE_CHANNEL)
    return _count(status) == 1


async def has_mails(conn: Connection, tenant_id: UUID, kind: Kind, subject_id: UUID) -> bool:
    """Whether anybody was ever written to about this."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM mails WHERE tenant_id = $1 AND kind = $2 AND subject_id = $3)",
        tenant_id,
        kind,
        subject_id,
    )
    return found


async def try_lead(conn: Connection) -> bool:
    """Tries to become the one sender of the installation, for as long as the session lives."""
    led: bool = await conn.fetchval(
        "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", SENDER_LOCK
    )
    return led


async def bring_back(conn: Connection, at: datetime, longest: timedelta) -> None:
    """Makes due what waits for longer than any pause lasts: the clock was set back."""
    await conn.execute(
        "UPDATE mails SET due_at = $1 WHERE state = 'queued' AND due_at > $2", at, at + longest
    )


async def requeue_interrupted(conn: Connection, at: datetime) -> list[UUID]:
    """Gives back what a sender that is gone had begun to send, as possible duplicates.

    To be called by the one that leads, before it sends anything itself.
    """
    rows = await conn.fetch(
        """
        UPDATE mails SET state = 'queued', due_at = $1, sending_since = NULL,
            possible_duplicates = possible_duplicates + 1, last_answer = 'interrupted'
        WHERE state = 'sending' RETURNING mail_id
        """,
        at,
    )
    return [row["mail_id"] for row in rows]


async def count_due(conn: Connection, at: datetime, limit: int) -> int:
    """Counts the mails that are due, up to a limit."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM
            (SELECT FROM mails WHERE state = 'queued' AND due_at <= $1 LIMIT $2) AS due
        """,
        at,
        limit,
    )
    return found


async def claim_mail(conn: Connection, at: datetime) -> Mail | None:
    """Marks the mail that is due first as being sent, and returns it."""
    row = await conn.fetchrow(
        """
        UPDATE mails SET state = 'sending', tries = tries + 1, sending_since = $1
        WHERE mail_id = (SELECT mail_id FROM mails WHERE state = 'queued' AND due_at <= $1
                         ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING mail_id, tenant_id, kind, subject_id, plan_id, recipient, message_id, subject,
                  body, secret, give_up_at, tries
        """,
        at,
    )
    return Mail(*row.values()) if row else None


async def mark_sent(conn: Connection, mail: Mail, answer: str, at: datetime) -> bool:
    """Keeps the server's acceptance; the body of a secret mail is forgotten.

    Like the other two marks it returns False, and does nothing, when this try is not the one
    under way: the verdict is written down already, or another sender took over.
    """
    status = await conn.execute(
        """
        UPDATE mails SET state = 'sent', sent_at = $5, last_answer = $4, sending_since = NULL,
            body = CASE WHEN secret THEN NULL ELSE body END
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
        at,
    )
    return _count(status) == 1


async def mark_later(
    conn: Connection, mail: Mail, answer: str, due_at: datetime, *, is_uncertain: bool
) -> bool:
    """Puts a mail back in the queue; an uncertain outcome counts as a possible duplicate."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'queued', due_at = $5, last_answer = $4, sending_since = NULL,
            possible_duplicates = possible_duplicates + $6
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
        due_at,
        int(is_uncertain),
    )
    return _count(status) == 1


async def mark_undeliverable(conn: Connection, mail: Mail, answer: str) -> bool:
    """Ends the tries for good; the body of a secret mail is forgotten."""
    status = await conn.execute(
        """
        UPDATE mails SET state = 'undeliverable', last_answer = $4, sending_since = NULL,
            body = CASE WHEN secret THEN NULL ELSE body END
        WHERE tenant_id = $1 AND mail_id = $2 AND state = 'sending' AND tries = $3
        """,
        mail.tenant_id,
        mail.mail_id,
        mail.tries,
        answer,
    )
    return _count(status) == 1


async def count_mails(conn: Connection) -> dict[str, int]:
    """Returns how many mails are unfinished, by state."""
    rows = await conn.fetch(
        "SELECT state, count(*) AS mails FROM mails WHERE state IN ('queued', 'sending') "
        "GROUP BY state"
    )
    return {row["state"]: row["mails"] for row in rows}


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[-1])
