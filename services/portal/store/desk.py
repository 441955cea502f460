"""What waits for operators: open incidents with what is known of each, in one query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection
from libs.shared.reasons import Reason


@dataclass(frozen=True)
class Waiting:
    """An open incident, with the run that tells most of it.

    run_number: of the plan's last run that ended, or of the one that help is asked with; asked_by:
    who asks; recipients: to whom reports of that run could not be delivered.
    """

    incident_id: UUID
    tenant_id: UUID
    client: str | None
    plan_id: UUID | None
    plan: str | None
    hostname: str | None
    cause: str
    opened_at: datetime
    last_at: datetime
    times: int
    acknowledged_by: str
    snoozed_until: datetime | None
    note: str
    run_number: int | None
    reason: Reason | None
    finished_at: datetime | None
    asked_by: str | None
    recipients: list[str]


_OPEN = """SELECT i.incident_id, i.tenant_id, t.name AS client, i.plan_id, p.name AS plan,
        p.hostname, i.cause, i.rank, i.opened_at, i.last_at, i.times, i.acknowledged_by,
        i.snoozed_until, i.note
    FROM incidents i
    LEFT JOIN tenants t USING (tenant_id)
    LEFT JOIN plans p ON p.tenant_id = i.tenant_id AND p.plan_id = i.plan_id
    WHERE i.closed_at IS NULL"""


async def list_waiting(
    conn: Connection, cause: str | None, now: datetime, *, in_hand: bool, limit: int, offset: int
) -> list[Waiting]:
    """Open incidents, the worst first: those that nobody has in hand, or those that somebody has.

    One that was put off counts as in hand until its day has come."""
    rows = await conn.fetch(
        f"""
        WITH open AS (
            {_OPEN} AND ($1::text IS NULL OR i.cause = $1)
              AND (i.acknowledged_by <> '' OR coalesce(i.snoozed_until > $2, false)) = $3
            ORDER BY i.rank, i.opened_at, i.incident_id LIMIT $4 OFFSET $5
        )
        SELECT o.*, coalesce(h.number, r.number) AS run_number,
               CASE WHEN o.cause = 'unusual' THEN coalesce(r.verdict, r.reason)
                    ELSE r.reason END AS reason,
               r.finished_at, h.asked_by, coalesce(u.recipients, '{{}}') AS recipients
        FROM open o
        LEFT JOIN LATERAL (
            SELECT r.run_id, r.number, r.reason, r.finished_at, j.verdicts -> 0 AS verdict
            FROM runs r LEFT JOIN judgements j USING (tenant_id, run_id)
            WHERE r.tenant_id = o.tenant_id AND r.plan_id = o.plan_id AND r.outcome IS NOT NULL
            ORDER BY r.number DESC LIMIT 1
        ) r ON true
        LEFT JOIN LATERAL (
            SELECT h.asked_by, a.number FROM help_requests h
            JOIN runs a ON a.tenant_id = h.tenant_id AND a.run_id = h.run_id
            WHERE o.cause = 'help' AND h.tenant_id = o.tenant_id AND a.plan_id = o.plan_id
            ORDER BY h.asked_at DESC LIMIT 1
        ) h ON true
        LEFT JOIN LATERAL (
            SELECT array_agg(recipient ORDER BY recipient) AS recipients FROM reports s
            WHERE o.cause = 'undeliverable' AND s.run_id = r.run_id AND s.sent_at IS NULL
        ) u ON true
        ORDER BY o.rank, o.opened_at, o.incident_id
        """,
        cause,
        now,
        in_hand,
        limit,
        offset,
    )
    return [
        Waiting(
            **{
                **{name: value for name, value in row.items() if name != "rank"},
                "reason": reasons.read(row["reason"]),
            }
        )
        for row in rows
    ]


async def count_open(conn: Connection, now: datetime) -> list[tuple[str, bool, int]]:
    """(cause, whether somebody has it in hand, how many) of all that is open."""
    rows = await conn.fetch(
        """
        SELECT cause, acknowledged_by <> '' OR coalesce(snoozed_until > $1, false), count(*)
        FROM incidents WHERE closed_at IS NULL GROUP BY 1, 2
        """,
        now,
    )
    return [tuple(row) for row in rows]
