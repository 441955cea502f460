"""SQL of who gets reports: what machines declare, what people decided, what reporting was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.recipients import Decided, Decision


@dataclass(frozen=True)
class DeclaredPlan:
    """A plan as its machine declared it, as far as reports go."""

    plan_id: UUID
    name: str
    hostname: str
    recipients: list[str]
    reports: bool


@dataclass(frozen=True)
class Invitation:
    """What an address was asked, and what became of it."""

    invitation_id: UUID
    tenant_id: UUID
    plan_id: UUID
    email: str
    state: Decided
    asked_at: datetime | None


async def find_plan(conn: Connection, tenant_id: UUID, plan_id: UUID) -> DeclaredPlan | None:
    """A plan of the tenant's."""
    row = await conn.fetchrow(
        """
        SELECT plan_id, name, hostname, recipients, reports FROM plans
        WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    return DeclaredPlan(**row) if row else None


async def list_plans(conn: Connection, tenant_id: UUID) -> list[DeclaredPlan]:
    """All plans of a tenant that anything is known of."""
    rows = await conn.fetch(
        """
        SELECT plan_id, name, hostname, recipients, reports FROM plans
        WHERE tenant_id = $1 ORDER BY plan_id
        """,
        tenant_id,
    )
    return [DeclaredPlan(**row) for row in rows]


async def list_decisions(conn: Connection, tenant_id: UUID) -> list[Decision]:
    """What was decided about addresses, for all plans of a tenant."""
    rows = await conn.fetch(
        """
        SELECT plan_id, email, state, invitation_id FROM recipients
        WHERE tenant_id = $1 ORDER BY plan_id, email
        """,
        tenant_id,
    )
    return [Decision(**row) for row in rows]


async def decide(
    conn: Connection, tenant_id: UUID, plan_id: UUID, email: str, state: Decided, now: datetime
) -> None:
    """Writes down what counts for an address from now on; its link stays, or is made."""
    await conn.execute(
        """
        INSERT INTO recipients AS r
            (tenant_id, plan_id, email, state, changed_at, invitation_id)
        VALUES ($1, $2, $3, $4, $5, gen_random_uuid())
        ON CONFLICT (tenant_id, plan_id, email) DO UPDATE SET state = $4, changed_at = $5,
            invitation_id = coalesce(r.invitation_id, excluded.invitation_id)
        """,
        tenant_id,
        plan_id,
        email,
        state,
        now,
    )


async def ask(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    email: str,
    invitation_id: UUID,
    now: datetime,
) -> None:
    """Writes down that an address is asked; an earlier link ends."""
    await conn.execute(
        """
        INSERT INTO recipients
            (tenant_id, plan_id, email, state, changed_at, invitation_id, asked_at)
        VALUES ($1, $2, $3, 'asked', $5, $4, $5)
        ON CONFLICT (tenant_id, plan_id, email) DO UPDATE SET
            state = 'asked', changed_at = $5, invitation_id = $4, asked_at = $5
        """,
        tenant_id,
        plan_id,
        email,
        invitation_id,
        now,
    )


async def list_asked(conn: Connection, tenant_id: UUID, since: datetime) -> dict[str, datetime]:
    """When a tenant asked each address last since then, whatever became of it."""
    rows = await conn.fetch(
        """
        SELECT email, max(asked_at) AS asked_at FROM recipients
        WHERE tenant_id = $1 AND asked_at > $2 GROUP BY email
        """,
        tenant_id,
        since,
    )
    return {row["email"]: row["asked_at"] for row in rows}


async def find_invitation(conn: Connection, invitation_id: UUID) -> Invitation | None:
    """What a link names."""
    row = await conn.fetchrow(
        """
        SELECT invitation_id, tenant_id, plan_id, email, state, asked_at FROM recipients
        WHERE invitation_id = $1
        """,
        invitation_id,
    )
    return Invitation(**row) if row else None


async def list_published(
    conn: Connection, tenant_id: UUID, plan_ids: Sequence[UUID]
) -> dict[UUID, tuple[int, dict[str, Any]]]:
    """(version, content) of what reporting was told last, by plan."""
    rows = await conn.fetch(
        """
        SELECT plan_id, version, told FROM recipients_told
        WHERE tenant_id = $1 AND plan_id = ANY ($2)
        """,
        tenant_id,
        plan_ids,
    )
    return {row["plan_id"]: (row["version"], row["told"]) for row in rows}


async def put_published(
    conn: Connection, tenant_id: UUID, plan_id: UUID, version: int, told: dict[str, Any]
) -> None:
    """Writes down what reporting is told."""
    await conn.execute(
        """
        INSERT INTO recipients_told (tenant_id, plan_id, version, told) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, plan_id) DO UPDATE SET version = $3, told = $4
        """,
        tenant_id,
        plan_id,
        version,
        told,
    )
