"""Tenants as ingest is told of them, enrolment codes and agents."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.ingest import rules


class Allowance(NamedTuple):
    """What quota allows a tenant: a ceiling in bytes, None for none, and why."""

    version: int
    ceiling_bytes: int | None
    reason: str


async def put_subscription(
    conn: Connection, tenant_id: UUID, version: int, subscription: str, reason: str
) -> None:
    """Keeps how a subscription stands, unless something newer is known."""
    await conn.execute(
        """
        INSERT INTO tenants AS t (tenant_id, version, subscription, subscription_reason)
        VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id) DO UPDATE
        SET version = $2, subscription = $3, subscription_reason = $4 WHERE t.version <= $2
        """,
        tenant_id,
        version,
        subscription,
        reason,
    )


async def lock_allowance(conn: Connection, tenant_id: UUID) -> Allowance:
    """Returns what quota allows at this moment; version -1 if it is unknown."""
    row = await conn.fetchrow(
        """
        SELECT version, ceiling_bytes, reason FROM allowances WHERE tenant_id = $1 FOR UPDATE
        """,
        tenant_id,
    )
    return Allowance(*row) if row else Allowance(-1, None, "")


async def put_allowance(
    conn: Connection, tenant_id: UUID, version: int, ceiling_bytes: int | None, reason: str
) -> None:
    """Keeps what quota allows, unless something newer is known."""
    await conn.execute(
        """
        INSERT INTO allowances AS a (tenant_id, version, ceiling_bytes, reason)
        VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id) DO UPDATE
        SET version = $2, ceiling_bytes = $3, reason = $4 WHERE a.version < $2
        """,
        tenant_id,
        version,
        ceiling_bytes,
        reason,
    )


async def add_enrolment(
    conn: Connection,
    tenant_id: UUID,
    enrolment_id: UUID,
    code_sha256: str,
    label: str,
    expires_at: datetime,
) -> None:
    """Keeps a one-time code; the same again changes nothing."""
    await conn.execute(
        """
        INSERT INTO enrolments (enrolment_id, tenant_id, code_sha256, label, expires_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        enrolment_id,
        tenant_id,
        code_sha256,
        label,
        expires_at,
    )


async def find_enrolment(
    conn: Connection, code_sha256: str, now: datetime
) -> tuple[UUID, str | None, str] | None:
    """Returns (tenant, subscription, its reason) of a code that can be used; None if it can't."""
    row = await conn.fetchrow(
        """
        SELECT e.tenant_id, s.subscription, coalesce(s.subscription_reason, '') AS reason
        FROM enrolments e LEFT JOIN standings s USING (tenant_id)
        WHERE e.code_sha256 = $1 AND e.used_at IS NULL AND e.expires_at > $2
        """,
        code_sha256,
        now,
    )
    return (row["tenant_id"], row["subscription"], row["reason"]) if row else None


async def use_enrolment(conn: Connection, code_sha256: str, now: datetime) -> bool:
    """Uses a code up; False if it was used or ran out meanwhile."""
    status = await conn.execute(
        """
        UPDATE enrolments SET used_at = $2
        WHERE code_sha256 = $1 AND used_at IS NULL AND expires_at > $2
        """,
        code_sha256,
        now,
    )
    return database.changed(status) == 1


async def add(
    conn: Connection,
    tenant_id: UUID,
    agent_id: UUID,
    token_sha256: bytes,
    machine: rules.reported.Machine,
    now: datetime,
) -> None:
    """Writes down a machine that enrolled."""
    await conn.execute(
        """
        INSERT INTO agents (agent_id, tenant_id, token_sha256, hostname, platform, agent_version,
            enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        agent_id,
        tenant_id,
        token_sha256,
        machine.hostname,
        machine.platform,
        machine.agent_version,
        now,
    )


async def take_vacancy(
    conn: Connection,
    tenant_id: UUID,
    token_sha256: bytes,
    machine: rules.reported.Machine,
    now: datetime,
) -> UUID | None:
    """Lets a machine go on as the agent of its name that a rebuild brought back without a token.

    Returns that agent; None if there is none, or more than one of this name.
    """
    agent_id: UUID | None = await conn.fetchval(
        """
        WITH vacant AS (SELECT agent_id FROM agents WHERE tenant_id = $1 AND hostname = $2
        AND vacant_since IS NOT NULL AND revoked_at IS NULL
        AND NOT EXISTS (SELECT FROM portal_revocations r WHERE r.agent_id = agents.agent_id)
        FOR UPDATE)
        UPDATE agents a SET token_sha256 = $3, platform = $4, agent_version = $5,
            enrolled_at = $6, vacant_since = NULL FROM vacant
        WHERE a.agent_id = vacant.agent_id AND (SELECT count(*) FROM vacant) = 1
        RETURNING a.agent_id
        """,
        tenant_id,
        machine.hostname,
        token_sha256,
        machine.platform,
        machine.agent_version,
        now,
    )
    return agent_id


async def revoke(conn: Connection, tenant_id: UUID, agent_id: UUID, revoked_at: datetime) -> None:
    """Makes an agent's token worthless; an earlier revocation stands."""
    await conn.execute(
        """
        UPDATE agents SET revoked_at = coalesce(revoked_at, $3)
        WHERE tenant_id = $1 AND agent_id = $2
        """,
        tenant_id,
        agent_id,
        revoked_at,
    )


async def find(conn: Connection, token_sha256: bytes) -> rules.agents.Agent | None:
    """Returns the agent of a token, and how its tenant stands; None if it is revoked or unknown.

    What the portal withdrew itself holds before its event has come.
    """
    row = await conn.fetchrow(
        """
        SELECT a.agent_id, a.tenant_id, a.hostname, s.subscription,
            coalesce(s.subscription_reason, '') AS subscription_reason, l.ceiling_bytes,
            coalesce(l.reason, '') AS ceiling_reason
        FROM agents a LEFT JOIN standings s USING (tenant_id)
        LEFT JOIN allowances l USING (tenant_id)
        WHERE a.token_sha256 = $1 AND a.revoked_at IS NULL
        AND NOT EXISTS (SELECT FROM portal_revocations r WHERE r.agent_id = a.agent_id)
        """,
        token_sha256,
    )
    return rules.agents.Agent(**row) if row else None


async def list_standings(conn: Connection, agent_ids: list[UUID]) -> list[rules.agents.Standing]:
    """How agents and their tenants stand at this moment, of those that are known."""
    rows = await conn.fetch(
        """
        SELECT a.agent_id,
            a.revoked_at IS NOT NULL OR r.agent_id IS NOT NULL AS is_revoked,
            s.subscription, coalesce(s.subscription_reason, '') AS subscription_reason
        FROM agents a LEFT JOIN standings s USING (tenant_id)
        LEFT JOIN portal_revocations r USING (agent_id)
        WHERE a.agent_id = ANY($1::uuid[])
        """,
        agent_ids,
    )
    return [rules.agents.Standing(**row) for row in rows]


async def lock_keys(conn: Connection, tenant_id: UUID) -> None:
    """Keeps others from making a tenant's keys until the session ends."""
    await conn.execute(
        """
        SELECT pg_advisory_lock(hashtextextended('ingest.keys.' || $1::text, 0))
        """,
        str(tenant_id),
    )
