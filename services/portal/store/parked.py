"""SQL of events that wait for a person in some service's inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import EventParked

Decision = Literal["replay", "drop"]

_COLUMNS = """service, event_id, event_type, tenant_id, attempts, parked_at, error, decision,
    reason, decided_by, decided_at,
    coalesce((SELECT t.name FROM tenants t WHERE t.tenant_id = parked.tenant_id), '') AS client"""
_WAITS = "(settled_at IS NULL OR settled_at < parked_at)"


@dataclass(frozen=True)
class Parked:
    """One event that waits, and what was decided of it last; client: the name, '' for none."""

    service: str
    event_id: UUID
    event_type: str
    tenant_id: UUID
    attempts: int
    parked_at: datetime
    error: str
    decision: Decision | None
    reason: str
    decided_by: str
    decided_at: datetime | None
    client: str


async def put(conn: Connection, event: EventParked) -> None:
    """Keeps what a service told last; what was decided before it counts no more."""
    await conn.execute(
        """
        INSERT INTO parked AS p
            (service, event_id, tenant_id, event_type, error, attempts, parked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (service, event_id) DO UPDATE
        SET error = $5, attempts = $6, parked_at = $7, decision = NULL WHERE p.parked_at < $7
        """,
        event.service,
        event.event_id,
        event.tenant_id,
        event.event_type,
        event.error,
        event.attempts,
        event.parked_at,
    )


async def settle(conn: Connection, service: str, event_id: UUID, at: datetime) -> None:
    """Notes that an event waits no longer, also where that is known before that it waited."""
    await conn.execute(
        """
        INSERT INTO parked AS p
            (service, event_id, tenant_id, event_type, error, attempts, parked_at, settled_at)
        VALUES ($1, $2, $4, '', '', 0, $3, $3) ON CONFLICT (service, event_id) DO UPDATE
        SET settled_at = greatest(p.settled_at, $3)
        """,
        service,
        event_id,
        at,
        UUID(int=0),
    )


async def list_waiting(conn: Connection, limit: int) -> list[Parked]:
    """The events that wait, the oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM parked WHERE {_WAITS} ORDER BY parked_at, service, event_id LIMIT $1
        """,
        limit,
    )
    return [Parked(**row) for row in rows]


async def find(conn: Connection, service: str, event_id: UUID) -> Parked | None:
    """One event that waits, locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM parked WHERE service = $1 AND event_id = $2 AND {_WAITS} FOR UPDATE
        """,
        service,
        event_id,
    )
    return Parked(**row) if row else None


async def decide(
    conn: Connection,
    service: str,
    event_id: UUID,
    decision: Decision,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Notes what an operator decided; the service does it."""
    await conn.execute(
        """
        UPDATE parked SET decision = $3, reason = $4, decided_by = $5, decided_at = $6
        WHERE service = $1 AND event_id = $2
        """,
        service,
        event_id,
        decision,
        reason,
        by,
        now,
    )


async def prune(conn: Connection, before: datetime) -> None:
    """Forgets what waits no longer since then."""
    await conn.execute(
        """
        DELETE FROM parked WHERE settled_at < $1 AND settled_at >= parked_at
        """,
        before,
    )
