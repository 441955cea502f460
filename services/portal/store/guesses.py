"""Guesses at passwords, counted, and from where people were signed in before."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.guesses import GuessTally


async def lock(conn: Connection, subject_sha256: bytes, now: datetime) -> GuessTally:
    """The guesses of a subject, locked until the transaction ends; none where none were counted.

    Lock an address before an account: two tries at once then wait for each other in one order."""
    row = await conn.fetchrow(
        """
        INSERT INTO throttles AS t (subject_sha256, level, counted_at) VALUES ($1, 0, $2)
        ON CONFLICT (subject_sha256) DO UPDATE SET level = t.level
        RETURNING level, counted_at, turned_away
        """,
        subject_sha256,
        now,
    )
    assert row is not None  # an upsert always returns its row
    return GuessTally(*row)


async def put(conn: Connection, subject_sha256: bytes, tally: GuessTally) -> None:
    """Writes what was counted of a locked subject."""
    await conn.execute(
        """
        UPDATE throttles SET level = $2, counted_at = $3, turned_away = $4
        WHERE subject_sha256 = $1
        """,
        subject_sha256,
        tally.level,
        tally.counted_at,
        tally.turned_away,
    )


async def take_back(conn: Connection, subject_sha256: bytes) -> None:
    """Counts one guess less: it was right."""
    await conn.execute(
        """
        UPDATE throttles SET level = greatest(level - 1, 0) WHERE subject_sha256 = $1
        """,
        subject_sha256,
    )


async def find_known(conn: Connection, email: str, sources: list[bytes]) -> set[bytes]:
    """Which of these addresses and browsers the account of a mail address was signed in from."""
    rows = await conn.fetch(
        """
        SELECT k.source_sha256 FROM known_sources k JOIN users u USING (user_id)
        WHERE lower(u.email) = lower($1) AND k.source_sha256 = ANY ($2)
        """,
        email,
        sources,
    )
    return {row["source_sha256"] for row in rows}


async def remember(conn: Connection, user_id: UUID, source_sha256: bytes, now: datetime) -> None:
    """Notes that a person was signed in from an address or a browser."""
    await conn.execute(
        """
        INSERT INTO known_sources (user_id, source_sha256, last_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, source_sha256) DO UPDATE SET last_at = $3
        """,
        user_id,
        source_sha256,
        now,
    )


async def forget(conn: Connection, user_id: UUID) -> None:
    """Forgets from where a person was signed in."""
    await conn.execute(
        """
        DELETE FROM known_sources WHERE user_id = $1
        """,
        user_id,
    )


async def prune(conn: Connection, counted_before: datetime, known_before: datetime) -> None:
    """Removes guesses that weigh nothing any more, and from where nobody came for long."""
    await conn.execute(
        """
        WITH old AS (DELETE FROM known_sources WHERE last_at < $2)
        DELETE FROM throttles WHERE counted_at < $1
        """,
        counted_before,
        known_before,
    )
