"""SQL of which reports readers chose, and of clients that declined them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import Locale, ReportChoice
from services.portal.rules.recipients import Preference


@dataclass(frozen=True)
class Declined:
    """Who of a client declined its reports, and when."""

    declined_at: datetime
    declined_by: str


async def list_preferences(conn: Connection, tenant_id: UUID) -> dict[str, Preference]:
    """What was chosen for addresses of a client, by address."""
    rows = await conn.fetch(
        """
        SELECT email, choice, locale FROM readers WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return {row["email"]: Preference(row["choice"], row["locale"]) for row in rows}


async def put(
    conn: Connection,
    tenant_id: UUID,
    email: str,
    choice: ReportChoice,
    locale: Locale | None,
    changed_by: str,
    now: datetime,
) -> None:
    """Keeps what an address gets; a language that is None stays as it was."""
    await conn.execute(
        """
        INSERT INTO readers AS r (tenant_id, email, choice, locale, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, email) DO UPDATE SET
            choice = $3, locale = coalesce($4, r.locale), changed_by = $5, changed_at = $6
        """,
        tenant_id,
        email,
        choice,
        locale,
        changed_by,
        now,
    )


async def put_locale(
    conn: Connection, tenant_id: UUID, email: str, locale: Locale, changed_by: str, now: datetime
) -> None:
    """Keeps in which language an address is written to; what it gets stays as it was."""
    await conn.execute(
        """
        INSERT INTO readers (tenant_id, email, locale, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, email) DO UPDATE SET
            locale = $3, changed_by = $4, changed_at = $5
        """,
        tenant_id,
        email,
        locale,
        changed_by,
        now,
    )


async def find_declined(conn: Connection, tenant_id: UUID) -> Declined | None:
    """Who declined a client's reports; None: they are wanted."""
    row = await conn.fetchrow(
        """
        SELECT declined_at, declined_by FROM reports_declined WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Declined(**row) if row else None


async def decline(conn: Connection, tenant_id: UUID, name: str, now: datetime) -> bool:
    """Notes that a client wants no reports; False where that is known."""
    status = await conn.execute(
        """
        INSERT INTO reports_declined (tenant_id, declined_by, declined_at) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO NOTHING
        """,
        tenant_id,
        name,
        now,
    )
    return database.changed(status) == 1


async def take_back(conn: Connection, tenant_id: UUID) -> bool:
    """Forgets that a client declined its reports; False where it did not."""
    status = await conn.execute(
        """
        DELETE FROM reports_declined WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return database.changed(status) == 1
