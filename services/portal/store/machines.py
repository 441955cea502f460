"""SQL of machines: codes to enrol, agents, their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import (
    AgentEnrolled,
)


async def add_enrolment(
    conn: Connection,
    tenant_id: UUID,
    enrolment_id: UUID,
    label: str,
    opened_by: UUID,
    opened_at: datetime,
    expires_at: datetime,
) -> bool:
    """Notes that a code was handed out, which is kept nowhere; False where it was before."""
    status = await conn.execute(
        """
        INSERT INTO enrolments (enrolment_id, tenant_id, label, opened_by, opened_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        enrolment_id,
        tenant_id,
        label,
        opened_by,
        opened_at,
        expires_at,
    )
    return database.changed(status) == 1


async def hand_to_ingest(
    conn: Connection,
    tenant_id: UUID,
    enrolment_id: UUID,
    code_sha256: str,
    label: str,
    expires_at: datetime,
) -> None:
    """Writes the hash of a code where ingest reads it (docs/decisions/0047)."""
    await conn.execute(
        """
        INSERT INTO ingest.enrolments (enrolment_id, tenant_id, code_sha256, label, expires_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        enrolment_id,
        tenant_id,
        code_sha256,
        label,
        expires_at,
    )


@dataclass(frozen=True)
class Code:
    """A code that was handed out and not used yet; the code itself is kept nowhere."""

    enrolment_id: UUID
    label: str
    opened_by: str
    opened_at: datetime
    expires_at: datetime


async def list_open_codes(conn: Connection, tenant_id: UUID, now: datetime) -> list[Code]:
    """A tenant's codes with which a machine may still join, the newest first."""
    rows = await conn.fetch(
        """
        SELECT e.enrolment_id, e.label, coalesce(u.name, '') AS opened_by, e.opened_at,
               e.expires_at
        FROM enrolments e JOIN ingest.enrolments i USING (enrolment_id)
        LEFT JOIN users u ON u.user_id = e.opened_by
        WHERE e.tenant_id = $1 AND e.expires_at > $2 AND i.used_at IS NULL
        ORDER BY e.opened_at DESC
        """,
        tenant_id,
        now,
    )
    return [Code(**row) for row in rows]


async def end_code(
    conn: Connection, tenant_id: UUID, enrolment_id: UUID, now: datetime
) -> str | None:
    """Ends a code that may still be used, here and at ingest; its label, None for any other."""
    label: str | None = await conn.fetchval(
        """
        WITH ended AS (
            UPDATE enrolments SET expires_at = $3
            WHERE tenant_id = $1 AND enrolment_id = $2 AND expires_at > $3
            RETURNING enrolment_id, label
        )
        UPDATE ingest.enrolments i SET expires_at = $3 FROM ended
        WHERE i.enrolment_id = ended.enrolment_id AND i.used_at IS NULL RETURNING ended.label
        """,
        tenant_id,
        enrolment_id,
        now,
    )
    return label


async def find_agent_tenant(conn: Connection, agent_id: UUID) -> UUID | None:
    """Which tenant an enrolled machine belongs to."""
    tenant_id: UUID | None = await conn.fetchval(
        """
        SELECT tenant_id FROM agents WHERE agent_id = $1
        """,
        agent_id,
    )
    return tenant_id


async def revoke_agent(
    conn: Connection, tenant_id: UUID, agent_id: UUID, now: datetime
) -> datetime:
    """Notes that an agent's token is withdrawn; since when it is, for it may have been before."""
    revoked_at: datetime = await conn.fetchval(
        """
        UPDATE agents SET revoked_at = coalesce(revoked_at, $3)
        WHERE tenant_id = $1 AND agent_id = $2 RETURNING revoked_at
        """,
        tenant_id,
        agent_id,
        now,
    )
    return revoked_at


async def tell_ingest(conn: Connection, agent_id: UUID, revoked_at: datetime) -> None:
    """Writes a withdrawal where ingest reads it (docs/decisions/0036)."""
    await conn.execute(
        """
        INSERT INTO ingest.portal_revocations (agent_id, revoked_at)
        VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,
        agent_id,
        revoked_at,
    )


@dataclass(frozen=True)
class Agent:
    """An enrolled machine."""

    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    revoked_at: datetime | None
    last_run_at: datetime | None


async def list_agents(conn: Connection, tenant_id: UUID) -> list[Agent]:
    """A tenant's machines, by name."""
    rows = await conn.fetch(
        """
        SELECT agent_id, hostname, platform, agent_version, enrolled_at, revoked_at, (
            SELECT max(r.started_at) FROM plans p CROSS JOIN LATERAL (
                SELECT started_at FROM runs
                WHERE tenant_id = p.tenant_id AND plan_id = p.plan_id ORDER BY number DESC LIMIT 1
            ) r WHERE p.tenant_id = a.tenant_id AND p.agent_id = a.agent_id
        ) AS last_run_at
        FROM agents a WHERE tenant_id = $1 ORDER BY lower(hostname), enrolled_at
        """,
        tenant_id,
    )
    return [Agent(**row) for row in rows]


async def find_platform(conn: Connection, tenant_id: UUID, agent_id: UUID) -> str:
    """The system of a machine, in its own words; empty where it isn't known."""
    platform: str | None = await conn.fetchval(
        """
        SELECT platform FROM agents WHERE tenant_id = $1 AND agent_id = $2
        """,
        tenant_id,
        agent_id,
    )
    return platform or ""


async def add_agent(conn: Connection, event: AgentEnrolled) -> None:
    """Keeps a machine that joined; it may have been told before."""
    await conn.execute(
        """
        INSERT INTO agents (agent_id, tenant_id, hostname, platform, agent_version, enrolled_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (agent_id) DO NOTHING
        """,
        event.agent_id,
        event.tenant_id,
        event.hostname,
        event.platform,
        event.agent_version,
        event.enrolled_at,
    )


async def find_pulse(conn: Connection, tenant_id: UUID) -> str:
    """A word that is another one when a client's machines, plans or newest runs are."""
    pulse: str = await conn.fetchval(
        """
        SELECT md5(concat_ws(' ',
            (SELECT count(*) FROM agents WHERE tenant_id = $1),
            (SELECT sum(version) FROM plans WHERE tenant_id = $1),
            (SELECT concat(started_at, outcome) FROM runs WHERE tenant_id = $1
             ORDER BY started_at DESC LIMIT 1),
            (SELECT count(*) FROM (SELECT outcome FROM runs WHERE tenant_id = $1
             ORDER BY started_at DESC LIMIT 50) r WHERE outcome IS NULL)))
        """,
        tenant_id,
    )
    return pulse


async def count_agents(conn: Connection, tenant_id: UUID) -> int:
    """How many machines of a client have ever joined."""
    number: int = await conn.fetchval(
        """
        SELECT count(*) FROM agents WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return number
