"""What reporting has of a tenant, and erases with it (docs/destruction.md)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.erasure import EVENTS, Deleted, Kept, Plan

PLAN: Plan = (
    *EVENTS,
    Deleted("mails"),
    Deleted("recipients"),
    Deleted("offers"),
    Deleted("overages"),
    Deleted("matters"),
    Deleted("webhook_calls"),
    Deleted("pauses"),
    Deleted("incidents"),
    Deleted("expected"),
    Deleted("judgements"),
    Deleted("misses"),
    Deleted("notices"),
    Deleted("reviews"),
    Deleted("runs"),
    Deleted("plans"),
    Kept("tenants", "until-mailed"),
    Kept("farewells", "until-mailed"),
)


async def add_farewell(conn: Connection, tenant_id: UUID, written_at: datetime | None) -> None:
    """Notes that a tenant is gone but for its certificate's mails, and when these were written."""
    await conn.execute(
        """
        INSERT INTO farewells (tenant_id, written_at) VALUES ($1, $2)
        ON CONFLICT (tenant_id) DO UPDATE SET written_at = $2 WHERE $2 IS NOT NULL
        """,
        tenant_id,
        written_at,
    )


async def is_erased(conn: Connection, tenant_id: UUID) -> bool:
    """Whether all of a tenant was erased: nothing of it may be written down any more."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM erased_tenants WHERE tenant_id = $1)
        """,
        tenant_id,
    )
    return found


async def list_over(conn: Connection) -> list[UUID]:
    """Tenants whose certificate was written, and of whose mails none is on its way any more."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM farewells f
        WHERE written_at IS NOT NULL AND NOT EXISTS (SELECT FROM mails m
            WHERE m.tenant_id = f.tenant_id AND m.state IN ('queued', 'sending'))
        """
    )
    return [row[0] for row in rows]


async def forget_last(conn: Connection, tenant_id: UUID) -> None:
    """Forgets the last that there is of a tenant: its name, its people, the mails to them."""
    await conn.execute(
        """
        WITH mailed AS (DELETE FROM mails WHERE tenant_id = $1),
             refused AS (DELETE FROM incidents WHERE tenant_id = $1),
             about AS (DELETE FROM matters WHERE tenant_id = $1),
             told AS (DELETE FROM webhook_calls WHERE tenant_id = $1),
             over AS (DELETE FROM farewells WHERE tenant_id = $1)
        DELETE FROM tenants WHERE tenant_id = $1
        """,
        tenant_id,
    )
