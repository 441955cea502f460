"""Overage cases as quota told of them, with what clients answered and operators decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import OverageDecided, OverageReported
from services.portal.rules.overages import Answer, Decision


@dataclass(frozen=True)
class Case:
    """A client stores more than it contracted; fills: what fills the volume most, by plan."""

    case_id: UUID
    tenant_id: UUID
    is_open: bool
    opened_at: datetime
    passed_at: datetime
    deadline_at: datetime
    final_at: datetime
    reached_on: date | None
    weekly_bytes: int | None
    fills: Sequence[dict[str, Any]]
    answer: Answer | None


@dataclass(frozen=True)
class Decided:
    """What an operator decided, and why."""

    decision: Decision
    until: datetime | None
    reason: str
    decided_at: datetime


_CASE = """SELECT o.case_id, o.tenant_id, o.is_open, o.opened_at, o.passed_at, o.deadline_at,
    o.final_at, o.reached_on, o.weekly_bytes, o.fills, a.answer
    FROM overages o LEFT JOIN overage_answers a USING (case_id)"""


async def put(conn: Connection, event: OverageReported, *, is_open: bool) -> None:
    """Keeps a case as its newest version tells of it."""
    await conn.execute(
        """
        INSERT INTO overages AS o (case_id, tenant_id, version, is_open, opened_at, passed_at,
            deadline_at, final_at, reached_on, weekly_bytes, fills)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (case_id) DO UPDATE SET version = $3, is_open = $4, opened_at = $5,
            passed_at = $6, deadline_at = $7, final_at = $8, reached_on = $9, weekly_bytes = $10,
            fills = $11
        WHERE o.tenant_id = $2 AND o.version < $3
        """,
        event.case_id,
        event.tenant_id,
        event.version,
        is_open,
        event.opened_at,
        event.passed_at,
        event.deadline_at,
        event.final_at,
        event.reached_on,
        event.weekly_bytes,
        [one.model_dump(mode="json") for one in event.fills],
    )


async def find_open(conn: Connection, tenant_id: UUID) -> Case | None:
    """The client's open case: there is one at most, but for a moment of news out of order."""
    row = await conn.fetchrow(
        f"""
        {_CASE} WHERE o.tenant_id = $1 AND o.is_open ORDER BY o.opened_at DESC LIMIT 1
        """,
        tenant_id,
    )
    return Case(**row) if row else None


@dataclass(frozen=True)
class Overdrawn:
    """An open case with its client, for the operators' board."""

    tenant_id: UUID
    client: str
    contracted_bytes: int
    stored_bytes: int
    opened_at: datetime
    deadline_at: datetime
    final_at: datetime
    answer: Answer | None
    blocked: bool

    @property
    def due_at(self) -> datetime:
        """When growth ends unless something is done: later, where the client answered."""
        return self.deadline_at if self.answer is None else self.final_at


async def list_open(conn: Connection) -> list[Overdrawn]:
    """Every open case, the one that is due next first."""
    rows = await conn.fetch(
        """
        SELECT o.tenant_id, t.name AS client, t.contracted_bytes,
               coalesce(v.stored_bytes, 0) AS stored_bytes, o.opened_at, o.deadline_at, o.final_at,
               a.answer, coalesce(w.blocked, false) AS blocked
        FROM overages o JOIN tenants t USING (tenant_id)
        LEFT JOIN overage_answers a USING (case_id)
        LEFT JOIN volumes v ON v.tenant_id = o.tenant_id
        LEFT JOIN allowances w ON w.tenant_id = o.tenant_id
        WHERE o.is_open
        ORDER BY CASE WHEN a.answer IS NULL THEN o.deadline_at ELSE o.final_at END, o.case_id
        """
    )
    return [Overdrawn(**row) for row in rows]


async def find(conn: Connection, case_id: UUID) -> Case | None:
    """A case by its id: whoever asks has a link whose signature is yet to be checked."""
    row = await conn.fetchrow(
        f"""
        {_CASE} WHERE o.case_id = $1
        """,
        case_id,
    )
    return Case(**row) if row else None


async def put_answer(
    conn: Connection, tenant_id: UUID, case_id: UUID, answer: Answer, by: str, at: datetime
) -> None:
    """Keeps the newest answer to a case."""
    await conn.execute(
        """
        INSERT INTO overage_answers (tenant_id, case_id, answer, answered_by, answered_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (case_id) DO UPDATE SET answer = $3, answered_by = $4, answered_at = $5
        """,
        tenant_id,
        case_id,
        answer,
        by,
        at,
    )


async def next_version(conn: Connection, tenant_id: UUID) -> int:
    """The number of the next decision about a client, whose row is locked."""
    version: int = await conn.fetchval(
        """
        SELECT coalesce(max(version), 0) + 1 FROM overage_decisions WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return version


async def add_decision(conn: Connection, event: OverageDecided) -> None:
    await conn.execute(
        """
        INSERT INTO overage_decisions (tenant_id, version, decision_id, decision, until, reason,
            decided_by, decided_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        event.tenant_id,
        event.version,
        event.decision_id,
        event.decision,
        event.until,
        event.reason,
        event.by,
        event.decided_at,
    )


async def list_decisions(conn: Connection, tenant_id: UUID, limit: int) -> list[Decided]:
    """The last decisions about a client, newest first."""
    rows = await conn.fetch(
        """
        SELECT decision, until, reason, decided_at FROM overage_decisions
        WHERE tenant_id = $1 ORDER BY version DESC LIMIT $2
        """,
        tenant_id,
        limit,
    )
    return [Decided(**row) for row in rows]
