"""SQL of what reporting knows: tenants, plans, and runs with or without their report."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import Recipient, TenantChanged
from services.reporting.rules.clients import Tenant

_PEOPLE = TypeAdapter(tuple[Recipient, ...])


async def lock(conn: Connection, tenant_id: UUID) -> None:
    """Makes handlers of one tenant follow each other until the transaction ends.

    Without it a run and the declaration of its plan, handled at once, would each miss the other.
    """
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('reporting.' || $1::text, 0))
        """,
        str(tenant_id),
    )


async def put(conn: Connection, tenant_id: UUID, event: TenantChanged) -> bool:
    """Keeps what is newer; returns whether it was."""
    status = await conn.execute(
        """
        INSERT INTO tenants AS t
            (tenant_id, version, name, locale, timezone, administrators, contracted_bytes,
             subscription, reports_declined)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id) DO UPDATE SET
            version = $2, name = $3, locale = $4, timezone = $5,
            administrators = $6, contracted_bytes = $7, subscription = $8,
            reports_declined = $9
        WHERE t.version < $2
        """,
        tenant_id,
        event.version,
        event.name,
        event.locale,
        event.timezone,
        _PEOPLE.dump_json(event.administrators).decode(),
        event.contracted_bytes,
        event.subscription,
        event.reports_declined,
    )
    return database.changed(status) == 1


async def is_over(conn: Connection, tenant_id: UUID) -> bool:
    """Whether a client's subscription is known to have ended."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM tenants
                       WHERE tenant_id = $1 AND subscription IN ('ended', 'destroyed'))
        """,
        tenant_id,
    )
    return found


async def find(conn: Connection, tenant_id: UUID) -> Tenant | None:
    row = await conn.fetchrow(
        """
        SELECT * FROM tenants WHERE tenant_id = $1
        """,
        tenant_id,
    )
    if row is None:
        return None
    return Tenant(
        tenant_id,
        row["name"],
        row["locale"],
        row["timezone"],
        _PEOPLE.validate_json(row["administrators"]),
        row["contracted_bytes"],
        row["subscription"],
        row["reports_declined"],
    )
