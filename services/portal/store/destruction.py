"""How destructions stand, by retention's word, and what operators decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import DestructionProgressed, DestructionState

_COLUMNS = """tenant_id, state, due_at, objects_left, reasons, destruction_id, permitted_at, held,
    held_until, hold_reason, certificate IS NOT NULL AS certificate, completed_at"""


@dataclass(frozen=True, slots=True)
class Destruction:
    """A client's destruction as it is shown; certificate: whether there is one."""

    tenant_id: UUID
    state: DestructionState
    due_at: datetime | None
    objects_left: int | None
    reasons: list[dict[str, Any]]
    destruction_id: UUID | None
    permitted_at: datetime | None
    held: bool
    held_until: datetime | None
    hold_reason: str
    certificate: bool
    completed_at: datetime | None


async def put_progress(conn: Connection, event: DestructionProgressed) -> None:
    """Keeps how a destruction stands; the newer word wins."""
    await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, told, state, due_at, objects_left, reasons)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id) DO UPDATE
            SET told = $2, state = $3, due_at = $4, objects_left = $5, reasons = $6
        WHERE d.told < $2
        """,
        event.tenant_id,
        event.version,
        event.state,
        event.due_at,
        event.objects_left,
        [reason.as_dict() for reason in event.reasons],
    )


async def find(conn: Connection, tenant_id: UUID) -> Destruction | None:
    """How a client's destruction stands; None where nothing was ever due."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM destructions WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Destruction(**row) if row else None


async def list_all(conn: Connection) -> list[tuple[str, Destruction]]:
    """Every destruction with the client's name, the next first."""
    rows = await conn.fetch(
        f"""
        SELECT coalesce(t.name, '') AS name, {_COLUMNS}
        FROM destructions d LEFT JOIN tenants t USING (tenant_id)
        ORDER BY state IN ('completed', 'cancelled'), due_at, tenant_id
        """
    )
    return [
        (row["name"], Destruction(**{k: v for k, v in row.items() if k != "name"})) for row in rows
    ]


async def is_permitted(conn: Connection, tenant_id: UUID) -> bool:
    """Whether a destruction can't be taken back any more; the client's row is locked."""
    return bool(
        await conn.fetchval(
            """
            SELECT permitted_at IS NOT NULL FROM destructions WHERE tenant_id = $1
            """,
            tenant_id,
        )
    )


async def permit(
    conn: Connection, tenant_id: UUID, destruction_id: UUID, permitted_at: datetime
) -> datetime:
    """Writes down that nobody reinstates from now on; said again, the first moment counts."""
    first: datetime = await conn.fetchval(
        """
        INSERT INTO destructions AS d (tenant_id, destruction_id, permitted_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE
            SET destruction_id = $2, permitted_at = coalesce(d.permitted_at, $3)
        RETURNING permitted_at
        """,
        tenant_id,
        destruction_id,
        permitted_at,
    )
    return first


async def count_decision(conn: Connection, tenant_id: UUID) -> int:
    """Counts what operators decided of a client; returns the number."""
    count: int = await conn.fetchval(
        """
        INSERT INTO destructions AS d (tenant_id, decisions) VALUES ($1, 1)
        ON CONFLICT (tenant_id) DO UPDATE SET decisions = d.decisions + 1 RETURNING decisions
        """,
        tenant_id,
    )
    return count


async def set_hold(
    conn: Connection, tenant_id: UUID, held_until: datetime | None, reason: str, *, held: bool
) -> None:
    """Keeps a legal hold, or that there is none any more."""
    await conn.execute(
        """
        UPDATE destructions SET held = $2, held_until = $3, hold_reason = $4 WHERE tenant_id = $1
        """,
        tenant_id,
        held,
        held_until,
        reason,
    )


async def find_who_ended(conn: Connection, tenant_id: UUID) -> UUID | None:
    """The operator who ended a subscription, or announced the end, last; the log tells."""
    user_id: UUID | None = await conn.fetchval(
        """
        SELECT user_id FROM access_log
        WHERE tenant_id = $1 AND act IN ('subscription-ended', 'subscription-end-announced')
          AND user_id IS NOT NULL
        ORDER BY number DESC LIMIT 1
        """,
        tenant_id,
    )
    return user_id


async def complete(
    conn: Connection, tenant_id: UUID, destruction_id: UUID, certificate: str, now: datetime
) -> None:
    """Keeps the certificate."""
    await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, state, destruction_id, certificate, completed_at)
        VALUES ($1, 'completed', $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE
            SET destruction_id = $2, certificate = $3, completed_at = $4
        """,
        tenant_id,
        destruction_id,
        certificate,
        now,
    )


async def find_certificate(conn: Connection, tenant_id: UUID) -> tuple[UUID, str] | None:
    """The id of a destruction that is over, and its certificate."""
    row = await conn.fetchrow(
        """
        SELECT destruction_id, certificate FROM destructions
        WHERE tenant_id = $1 AND certificate IS NOT NULL
        """,
        tenant_id,
    )
    return (row[0], row[1]) if row else None
