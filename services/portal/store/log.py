"""The access log: lines are only ever added, each to the chain of its client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.log.chain import START, Line, Link
from services.portal.rules.log.reading import LogWish, SeenLine

_READ_AT_ONCE = 2_000


async def append(conn: Connection, line: Line, content: bytes) -> None:
    """Adds a line to the end of its chain, which stays locked until the transaction ends.

    content: the line's canonical form. The database counts and hashes, so that the chain is
    locked for one statement and the commit only: let it be a transaction's last one."""
    await conn.execute(
        """
        WITH head AS (
            INSERT INTO log_heads AS h (tenant_id, number, hash)
            VALUES ($1, 1, sha256($9 || int8send(1) || $8))
            ON CONFLICT (tenant_id) DO UPDATE SET
                number = h.number + 1,
                hash = sha256(h.hash || int8send(h.number + 1) || $8)
            RETURNING number, hash
        )
        INSERT INTO access_log
            (tenant_id, number, at, user_id, actor, act, address, fields, hash, salt,
             personal_sha256)
        SELECT $1, head.number, $2, $3, $4, $5, $6, $7, head.hash, $10, $11 FROM head
        """,
        line.tenant_id,
        line.at,
        line.user_id,
        line.actor,
        line.act,
        line.address,
        line.fields,
        content,
        START,
        line.salt,
        line.personal_sha256,
    )


async def list_heads(conn: Connection, tenant_id: UUID | None) -> dict[UUID, Link]:
    """Where the chain of a client ends, or where all of them do."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, number, hash FROM log_heads
        WHERE $1::uuid IS NULL OR tenant_id = $1 ORDER BY tenant_id
        """,
        tenant_id,
    )
    return {row["tenant_id"]: Link(row["number"], row["hash"]) for row in rows}


async def read(conn: Connection, tenant_id: UUID | None) -> AsyncGenerator[tuple[Link, Line], None]:
    """The lines of a client's chain in its order, or those of all, one chain after the other.

    Needs a transaction; holds some thousands of lines at a time."""
    cursor = conn.cursor(
        """
        SELECT tenant_id, number, at, user_id, actor, act, address, fields, hash, salt,
            personal_sha256, blanked
        FROM access_log
        WHERE $1::uuid IS NULL OR tenant_id = $1 ORDER BY tenant_id, number
        """,
        tenant_id,
        prefetch=_READ_AT_ONCE,
    )
    async for row in cursor:
        line = Line(
            row["tenant_id"],
            row["at"],
            row["user_id"],
            row["actor"],
            row["act"],
            row["address"],
            row["fields"],
            row["salt"],
            row["personal_sha256"],
            row["blanked"],
        )
        yield Link(row["number"], row["hash"]), line


async def list_newest(
    conn: Connection, tenant_id: UUID, wish: LogWish, codes: list[str] | None, limit: int
) -> list[SeenLine]:
    """Some of a client's lines, the newest first."""
    rows = await conn.fetch(
        """
        SELECT l.number, l.hash, l.at, l.user_id, l.actor, l.act, l.address, l.fields, l.blanked,
            u.role IS NOT DISTINCT FROM 'operator' AS by_provider
        FROM access_log l LEFT JOIN users u ON u.user_id = l.user_id
        WHERE l.tenant_id = $1
          AND ($2::bigint IS NULL OR l.number < $2)
          AND ($3::text[] IS NULL OR l.act = ANY ($3))
          AND ($4::timestamptz IS NULL OR l.at >= $4)
          AND ($5::timestamptz IS NULL OR l.at < $5)
          AND ($6::text = 'anybody' OR ($6 = 'person' AND l.user_id = $7)
               OR ($6 = 'provider' AND u.role = 'operator'))
        ORDER BY l.number DESC LIMIT $8
        """,
        tenant_id,
        wish.before,
        codes,
        wish.since,
        wish.until,
        wish.whose,
        wish.user_id,
        limit,
    )
    return [
        SeenLine(
            Link(row["number"], row["hash"]),
            Line(
                tenant_id,
                row["at"],
                row["user_id"],
                row["actor"],
                row["act"],
                row["address"],
                row["fields"],
                blanked=row["blanked"],
            ),
            row["by_provider"],
        )
        for row in rows
    ]


async def note_restore(conn: Connection, credential: bytes, plan_id: UUID, now: datetime) -> bool:
    """Notes that a sign-in reads a plan's contents; False if that was noted before."""
    row = await conn.fetchrow(
        """
        INSERT INTO restores (credential, plan_id, noted_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING plan_id
        """,
        credential,
        plan_id,
        now,
    )
    return row is not None


async def forget_restores(conn: Connection, before: datetime) -> None:
    """Removes what was noted of sign-ins that are over."""
    await conn.execute(
        """
        DELETE FROM restores WHERE noted_at < $1
        """,
        before,
    )
