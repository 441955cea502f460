"""On which day an ended tenant's data is due, and what stands in the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import DestructionState

CHANNEL = "retention_destruction"
"""Brings the next turn of destructions, at the commit of what one waited for."""


class Due(NamedTuple):
    """A destruction that is due, or under way."""

    tenant_id: UUID
    version: int
    state: DestructionState
    ended_at: datetime
    due_at: datetime
    reasons: list[dict[str, Any]]
    confirmed_by: str | None
    last_sent_at: datetime | None


_DUE = """tenant_id, version, state, ended_at, due_at, reasons, confirmed_by, last_sent_at"""


async def schedule_destruction(
    conn: Connection,
    tenant_id: UUID,
    version: int,
    ended_at: datetime,
    due_at: datetime,
    reason: str,
) -> bool:
    """Writes down when destruction is due, unless something newer is known; returns whether.

    One that was permitted stays as it is: no newer end can be true.
    """
    status = await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, version, state, ended_at, due_at, reason)
        VALUES ($1, $2, 'scheduled', $3, $4, $5)
        ON CONFLICT (tenant_id) DO UPDATE
            SET version = $2, state = 'scheduled', ended_at = $3, due_at = $4, reason = $5,
                reasons = '[]', confirmed_by = NULL, last_sent_at = NULL
        WHERE d.version < $2 AND NOT EXISTS (SELECT FROM inventories i
            WHERE i.tenant_id = $1 AND i.permitted_at IS NOT NULL)
        """,
        tenant_id,
        version,
        ended_at,
        due_at,
        reason,
    )
    return database.changed(status) == 1


async def cancel_destruction(conn: Connection, tenant_id: UUID, version: int, reason: str) -> bool:
    """Writes down that nothing is due, unless something newer is known; returns whether.

    The row is written even where no end is known yet: an end that arrives late is older.
    """
    status = await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, version, state, reason)
        VALUES ($1, $2, 'cancelled', $3)
        ON CONFLICT (tenant_id) DO UPDATE SET version = $2, state = 'cancelled', reason = $3,
            reasons = '[]'
        WHERE d.version < $2 AND NOT EXISTS (SELECT FROM inventories i
            WHERE i.tenant_id = $1 AND i.permitted_at IS NOT NULL)
        """,
        tenant_id,
        version,
        reason,
    )
    return database.changed(status) == 1


async def lock(conn: Connection, tenant_id: UUID) -> Due | None:
    """A tenant's destruction that is not cancelled, locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_DUE} FROM destructions WHERE tenant_id = $1 AND state <> 'cancelled' FOR UPDATE
        """,
        tenant_id,
    )
    return Due(*row) if row else None


async def list_due(conn: Connection, now: datetime) -> list[Due]:
    """Destructions whose time has come and that are not over, the oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_DUE} FROM destructions
        WHERE state IN ('scheduled', 'waiting', 'held', 'running') AND due_at <= $1
        ORDER BY due_at, tenant_id
        """,
        now,
    )
    return [Due(*row) for row in rows]


async def count_due(conn: Connection, due_at: datetime) -> int:
    """How many destructions are due in the day before a moment, or in the day after it."""
    day = timedelta(days=1)
    count: int = await conn.fetchval(
        """
        SELECT greatest(count(*) FILTER (WHERE due_at <= $1), count(*) FILTER (WHERE due_at >= $1))
        FROM destructions WHERE state <> 'cancelled' AND due_at > $2 AND due_at < $3
        """,
        due_at,
        due_at - day,
        due_at + day,
    )
    return count


async def set_state(
    conn: Connection, tenant_id: UUID, state: DestructionState, reasons: list[dict[str, Any]]
) -> bool:
    """Moves a destruction, and writes down what it waits for; returns whether that is new."""
    status = await conn.execute(
        """
        UPDATE destructions SET state = $2, reasons = $3
        WHERE tenant_id = $1 AND (state <> $2 OR reasons <> $3)
        """,
        tenant_id,
        state,
        reasons,
    )
    return database.changed(status) == 1


async def count_published(conn: Connection, tenant_id: UUID) -> int:
    """Counts on what is said of a destruction; returns the number."""
    told: int = await conn.fetchval(
        """
        UPDATE destructions SET told = told + 1 WHERE tenant_id = $1 RETURNING told
        """,
        tenant_id,
    )
    return told


async def confirm(conn: Connection, tenant_id: UUID, ended_at: datetime | None, by: str) -> bool:
    """Lets one go on that waits for that; returns whether this end is the one that waits."""
    status = await conn.execute(
        """
        UPDATE destructions SET confirmed_by = $3
        WHERE tenant_id = $1 AND ended_at = $2 AND state = 'waiting' AND confirmed_by IS NULL
        """,
        tenant_id,
        ended_at,
        by,
    )
    return database.changed(status) == 1


async def note_sending(conn: Connection, tenant_id: UUID, at: datetime) -> None:
    """Notes that a machine of a tenant whose subscription ended tried to send."""
    await conn.execute(
        """
        UPDATE destructions SET last_sent_at = greatest(last_sent_at, $2)
        WHERE tenant_id = $1 AND ended_at < $2 AND state IN ('scheduled', 'waiting', 'held')
        """,
        tenant_id,
        at,
    )


async def put_hold(
    conn: Connection,
    tenant_id: UUID,
    version: int,
    held_until: datetime | None,
    reason: str,
    *,
    held: bool,
) -> bool:
    """Keeps a legal hold or that there is none, whichever word is newer; returns whether it is."""
    status = await conn.execute(
        """
        INSERT INTO destruction_holds AS h (tenant_id, version, held, held_until, reason)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id) DO UPDATE
        SET version = $2, held = $3, held_until = $4, reason = $5 WHERE h.version < $2
        """,
        tenant_id,
        version,
        held,
        held_until,
        reason,
    )
    return database.changed(status) == 1


async def is_held(conn: Connection, tenant_id: UUID, now: datetime) -> bool:
    """Whether a legal hold is in force."""
    return bool(
        await conn.fetchval(
            """
            SELECT held AND (held_until IS NULL OR held_until > $2) FROM destruction_holds
            WHERE tenant_id = $1
            """,
            tenant_id,
            now,
        )
    )


async def count_by_state(conn: Connection) -> dict[str, int]:
    """How many destructions there are in each state."""
    rows = await conn.fetch(
        """
        SELECT state, count(*) FROM destructions GROUP BY state
        """
    )
    return {row[0]: row[1] for row in rows}


async def count_late(conn: Connection, before: datetime) -> int:
    """How many were due before a moment, and have not begun though nothing holds them."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM destructions WHERE state = 'scheduled' AND due_at < $1
        """,
        before,
    )
    return count


async def restore(
    conn: Connection, tenant_id: UUID, ended_at: datetime, due_at: datetime, reason: str
) -> None:
    """Writes down that a tenant is being destroyed, whatever was known: the ledger says so."""
    await conn.execute(
        """
        INSERT INTO destructions AS d (tenant_id, version, state, ended_at, due_at, reason)
        VALUES ($1, 0, 'running', $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE
            SET state = 'running', ended_at = $2, due_at = $3, reason = $4, reasons = '[]'
        """,
        tenant_id,
        ended_at,
        due_at,
        reason,
    )


async def wake(conn: Connection) -> None:
    """Has destructions looked at as soon as this transaction commits."""
    await conn.execute(
        """
        SELECT pg_notify($1, '')
        """,
        CHANNEL,
    )
