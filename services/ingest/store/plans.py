"""Plans, as agents declare them and as the catalogue knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from libs.shared.database import Connection


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its agent and what that declared, and its newest restore point's number."""

    plan_id: UUID
    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    name: str
    version: int
    declaration: dict[str, Any]
    created_at: datetime
    last_run: int | None


async def put(
    conn: Connection,
    tenant_id: UUID,
    agent_id: UUID,
    plan_id: UUID,
    name: str,
    declaration: dict[str, Any],
) -> tuple[UUID, int | None]:
    """Returns (the plan's id, its new version or None where nothing changed)."""
    row = await conn.fetchrow(
        """
        INSERT INTO plans AS p (plan_id, tenant_id, agent_id, name, version, declaration)
        VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (agent_id, name) DO UPDATE
        SET version = p.version + 1, declaration = $5 WHERE p.declaration <> $5
        RETURNING plan_id, version
        """,
        plan_id,
        tenant_id,
        agent_id,
        name,
        declaration,
    )
    if row is not None:
        return row["plan_id"], row["version"]
    known: UUID = await conn.fetchval(
        """
        SELECT plan_id FROM plans WHERE tenant_id = $1 AND agent_id = $2 AND name = $3
        """,
        tenant_id,
        agent_id,
        name,
    )
    return known, None


async def add_to_catalogue(
    conn: Connection, tenant_id: UUID, agent_id: UUID, plan_id: UUID, name: str, now: datetime
) -> None:
    """Makes a plan and its root folder known to the catalogue; the same again changes nothing."""
    await conn.execute(
        """
        INSERT INTO catalogue.plans (tenant_id, plan_id, agent_id, name, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        plan_id,
        agent_id,
        name,
        now,
    )
    await conn.execute(
        """
        INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)
        VALUES ($1, $2, 0, '') ON CONFLICT DO NOTHING
        """,
        tenant_id,
        plan_id,
    )


async def find_last_run(
    conn: Connection, tenant_id: UUID, plan_id: UUID
) -> tuple[int | None, UUID | None]:
    """Returns (number, run id) of the plan's newest restore point."""
    row = await conn.fetchrow(
        """
        SELECT r.number, r.run_id FROM catalogue.plans p JOIN catalogue.runs r
        ON r.tenant_id = p.tenant_id AND r.plan_id = p.plan_id AND r.number = p.last_run
        WHERE p.tenant_id = $1 AND p.plan_id = $2
        """,
        tenant_id,
        plan_id,
    )
    return (row["number"], row["run_id"]) if row else (None, None)


async def find_named(conn: Connection, tenant_id: UUID, agent_id: UUID, name: str) -> UUID | None:
    """Returns the plan that an agent declared under a name."""
    plan_id: UUID | None = await conn.fetchval(
        """
        SELECT plan_id FROM plans WHERE tenant_id = $1 AND agent_id = $2 AND name = $3
        """,
        tenant_id,
        agent_id,
        name,
    )
    return plan_id


class PlanHeld(Exception):  # noqa: N818 - named after what happened
    """Another transaction holds the plan; this one is spoilt, and to be begun anew."""


async def lock(
    conn: Connection, tenant_id: UUID, agent_id: UUID, plan_id: UUID, *, wait: bool = True
) -> Plan | None:
    """Returns an agent's plan, and makes all that changes it wait until the transaction ends.

    wait: False raises PlanHeld where another transaction has it.
    """
    statement = f"""
        SELECT p.plan_id, p.agent_id, a.hostname, a.platform, a.agent_version, a.enrolled_at,
            p.name, p.version, p.declaration, c.created_at, c.last_run
        FROM catalogue.plans c JOIN plans p ON p.plan_id = c.plan_id
        JOIN agents a ON a.agent_id = p.agent_id
        WHERE c.tenant_id = $1 AND c.plan_id = $3 AND p.tenant_id = $1 AND p.agent_id = $2
        FOR UPDATE OF c {"" if wait else "NOWAIT"}
        """
    try:
        row = await conn.fetchrow(statement, tenant_id, agent_id, plan_id)
    except asyncpg.LockNotAvailableError as error:
        if wait:
            raise
        raise PlanHeld from error
    return Plan(**row) if row else None


async def next_number(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Gives a plan's next run its number."""
    number: int = await conn.fetchval(
        """
        UPDATE plans SET last_number = last_number + 1
        WHERE tenant_id = $1 AND plan_id = $2 RETURNING last_number
        """,
        tenant_id,
        plan_id,
    )
    return number


class CommitPlace(NamedTuple):
    """The run that is being committed."""

    tenant_id: UUID
    plan_id: UUID
    number: int
