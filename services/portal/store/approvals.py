"""Acts that wait for a second operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.approvals import Asked

Answer = Literal["confirmed", "declined"]

_COLUMNS = """approval_id, a.tenant_id, t.name AS client, kind, subject, reason, asked_by, asker,
    asked_at, expires_at, answer, answered_by, answered_at"""


@dataclass(frozen=True)
class Approval:
    """What an operator asks another to confirm; subject: an address, where the kind has one."""

    approval_id: UUID
    tenant_id: UUID
    client: str
    kind: Asked
    subject: str
    reason: str
    asked_by: UUID
    asker: str
    asked_at: datetime
    expires_at: datetime
    answer: Answer | None
    answered_by: str
    answered_at: datetime | None


async def add(conn: Connection, asked: Approval) -> None:
    await conn.execute(
        """
        INSERT INTO approvals (approval_id, tenant_id, kind, subject, reason, asked_by, asker,
            asked_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        asked.approval_id,
        asked.tenant_id,
        asked.kind,
        asked.subject,
        asked.reason,
        asked.asked_by,
        asked.asker,
        asked.asked_at,
        asked.expires_at,
    )


async def lock(conn: Connection, approval_id: UUID) -> Approval | None:
    """One of them, which nobody else answers until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM approvals a JOIN tenants t USING (tenant_id)
        WHERE approval_id = $1 FOR UPDATE OF a
        """,
        approval_id,
    )
    return Approval(**row) if row else None


async def answer(conn: Connection, approval_id: UUID, given: Answer, by: str, at: datetime) -> None:
    """Notes what a second operator answered."""
    await conn.execute(
        """
        UPDATE approvals SET answer = $2, answered_by = $3, answered_at = $4
        WHERE approval_id = $1
        """,
        approval_id,
        given,
        by,
        at,
    )


async def find_look(
    conn: Connection, tenant_id: UUID, asked_by: UUID | None, since: datetime, *, by_another: bool
) -> Approval | None:
    """The last look that was opened to an operator since then.

    by_another: one that another operator confirmed; else one that they opened alone counts too."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM approvals a JOIN tenants t USING (tenant_id)
        WHERE tenant_id = $1 AND kind = 'look' AND asked_by = $2 AND answer = 'confirmed'
            AND answered_at > $3 AND (answered_by <> '' OR NOT $4)
        ORDER BY answered_at DESC LIMIT 1
        """,
        tenant_id,
        asked_by,
        since,
        by_another,
    )
    return Approval(**row) if row else None


async def list_waiting(conn: Connection, now: datetime) -> list[Approval]:
    """Those that can still be answered, the oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM approvals a JOIN tenants t USING (tenant_id)
        WHERE answer IS NULL AND expires_at > $1 ORDER BY asked_at, approval_id
        """,
        now,
    )
    return [Approval(**row) for row in rows]
