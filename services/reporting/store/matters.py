"""SQL of what incidents are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.database import Connection
from services.reporting.rules.incidents import NOBODY, Cause, Matter


async def is_settled(conn: Connection, tenant_id: UUID, matter: Matter) -> bool:
    """Whether a newer word than this one, or the same, settled it."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM matters WHERE tenant_id IN ($1, $2) AND cause = $3
            AND matter = $4 AND sequence >= $5 AND settled_at IS NOT NULL)
        """,
        tenant_id,
        NOBODY,
        matter.cause,
        matter.name,
        matter.sequence,
    )
    return found


async def put(
    conn: Connection, tenant_id: UUID, plan_id: UUID | None, incident_id: UUID, matter: Matter
) -> Literal["new", "again", "known"]:
    """Keeps that an incident is about it; says whether it is new to it, or came again since."""
    is_new = await conn.fetchval(
        """
        INSERT INTO matters AS m (tenant_id, plan_id, incident_id, cause, matter, sequence)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ON CONSTRAINT matters_once DO UPDATE
            SET incident_id = $3, sequence = $6, settled_at = NULL WHERE m.sequence < $6
        RETURNING xmax = 0
        """,
        tenant_id,
        plan_id,
        incident_id,
        matter.cause,
        matter.name,
        matter.sequence,
    )
    if is_new is None:
        return "known"
    return "new" if is_new else "again"


async def list_tenants(conn: Connection, matter: Matter) -> list[UUID]:
    """Whose incidents are about it, and go on."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT tenant_id FROM matters
        WHERE cause = $1 AND matter = $2 AND settled_at IS NULL ORDER BY tenant_id
        """,
        matter.cause,
        matter.name,
    )
    return [row[0] for row in rows]


async def list_open(conn: Connection, cause: Cause, names: Sequence[str]) -> list[tuple[UUID, str]]:
    """Which of these matters go on, and whose they are."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT tenant_id, matter FROM matters
        WHERE cause = $1 AND matter = ANY($2::text[]) AND settled_at IS NULL
        ORDER BY tenant_id, matter
        """,
        cause,
        names,
    )
    return [(row[0], row[1]) for row in rows]


async def list_trusted(conn: Connection, before: datetime) -> list[tuple[UUID, str]]:
    """Which addresses took a mail before a moment that was sent after they refused the last one.

    With whose they are; those alone that an open incident is about.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT m.tenant_id, m.matter
        FROM matters m JOIN mails s ON s.tenant_id = m.tenant_id AND lower(s.recipient) = m.matter
        WHERE m.cause = 'undeliverable' AND m.settled_at IS NULL AND s.state = 'sent'
            AND s.sent_at <= $1 AND extract(epoch FROM s.sent_at) * 1000000 > m.sequence
        ORDER BY m.tenant_id, m.matter
        """,
        before,
    )
    return [(row[0], row[1]) for row in rows]


async def settle(
    conn: Connection, tenant_id: UUID, matter: Matter, plan_id: UUID | None, now: datetime
) -> list[UUID]:
    """Keeps that it is over; returns the incidents that were about it.

    plan_id: of that plan alone, where the matter is not one in itself.
    """
    rows = await conn.fetch(
        """
        UPDATE matters SET settled_at = $5, sequence = $4
        WHERE tenant_id = $1 AND cause = $2 AND matter = $3 AND sequence <= $4
            AND settled_at IS NULL AND ($6::uuid IS NULL OR plan_id = $6)
        RETURNING incident_id
        """,
        tenant_id,
        matter.cause,
        matter.name,
        matter.sequence,
        now,
        plan_id,
    )
    return [row[0] for row in rows]


async def put_settled(conn: Connection, tenant_id: UUID, matter: Matter, now: datetime) -> None:
    """Keeps that it is over before it was heard of."""
    await conn.execute(
        """
        INSERT INTO matters AS m (tenant_id, cause, matter, sequence, settled_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT matters_once DO UPDATE
            SET sequence = $4, settled_at = $5 WHERE m.sequence < $4
        """,
        tenant_id,
        matter.cause,
        matter.name,
        matter.sequence,
        now,
    )


async def has_open(conn: Connection, tenant_id: UUID, incident_id: UUID) -> bool:
    """Whether anything that an incident is about goes on."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM matters
            WHERE tenant_id = $1 AND incident_id = $2 AND settled_at IS NULL)
        """,
        tenant_id,
        incident_id,
    )
    return found


async def settle_all(conn: Connection, tenant_id: UUID, incident_id: UUID, now: datetime) -> None:
    """Keeps that a person closed an incident: all that it is about counts as over."""
    await conn.execute(
        """
        UPDATE matters SET settled_at = $3
        WHERE tenant_id = $1 AND incident_id = $2 AND settled_at IS NULL
        """,
        tenant_id,
        incident_id,
        now,
    )


async def prune(conn: Connection, before: datetime) -> None:
    """Forgets what was over before then."""
    await conn.execute(
        """
        DELETE FROM matters WHERE settled_at < $1
        """,
        before,
    )
