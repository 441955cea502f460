"""The last time that was believed."""

from __future__ import annotations

from datetime import datetime

from libs.shared.database import Connection


async def read_database_time(conn: Connection) -> datetime:
    """Returns what time the database says it is: to compare with, and for nothing else."""
    told: datetime = await conn.fetchval("""
        SELECT clock_timestamp()
        """)
    return told


async def read_seen_at(conn: Connection) -> datetime | None:
    """Returns the last time that was believed; None before the first."""
    seen_at: datetime | None = await conn.fetchval("""
        SELECT seen_at FROM clock
        """)
    return seen_at


async def put_seen_at(conn: Connection, now: datetime) -> None:
    """Believes a time."""
    await conn.execute(
        """
        INSERT INTO clock (seen_at) VALUES ($1) ON CONFLICT (one) DO UPDATE SET seen_at = $1
        """,
        now,
    )


async def add_acceptance(
    conn: Connection, now: datetime, seen_at: datetime | None, reason: str
) -> None:
    """Writes down that somebody said the time is right."""
    await conn.execute(
        """
        INSERT INTO clock_acceptances (accepted_at, seen_at, reason) VALUES ($1, $2, $3)
        """,
        now,
        seen_at,
        reason,
    )
