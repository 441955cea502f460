"""Marks: when a tenant's needs were looked at, and which packs a commit held meanwhile.

docs/decisions/0009 proves why this is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection


class Mark(NamedTuple):
    """One look at what a tenant needs: which, and the snapshot in which it was taken."""

    tenant_id: UUID
    number: int
    snapshot: str


async def begin_mark(conn: Connection, tenant_id: UUID, now: datetime) -> int:
    """Gives a tenant's next mark its number; what older ones found may not be acted on any more."""
    number: int = await conn.fetchval(
        """
        INSERT INTO marks AS m VALUES ($1, 1, $2) ON CONFLICT (tenant_id)
        DO UPDATE SET number = m.number + 1, marked_at = $2 RETURNING number
        """,
        tenant_id,
        now,
    )
    return number


async def is_newest(conn: Connection, mark: Mark) -> bool:
    """Whether a mark is the tenant's newest; it stays so until the transaction ends."""
    number = await conn.fetchval(
        """
        SELECT number FROM marks WHERE tenant_id = $1 FOR SHARE
        """,
        mark.tenant_id,
    )
    return bool(number == mark.number)


async def read_snapshot(conn: Connection) -> str:
    """Returns what transactions this statement sees; in REPEATABLE READ, all that follow too."""
    snapshot: str = await conn.fetchval("""
        SELECT pg_current_snapshot()::text
        """)
    return snapshot


async def find_held(conn: Connection, mark: Mark, pack_nos: Sequence[int]) -> set[int]:
    """Returns those of the packs that a commit held which the mark didn't see.

    Ask with the packs locked: then no other commit can come in between.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT unnest(pack_nos) FROM catalogue.holds WHERE tenant_id = $1
        AND NOT pg_visible_in_snapshot(held_by, $2::text::pg_snapshot)
        AND pack_nos && $3::bigint[]
        """,
        mark.tenant_id,
        mark.snapshot,
        pack_nos,
    )
    return {row[0] for row in rows}


async def forget_holds(conn: Connection, mark: Mark) -> None:
    """Deletes holds that the newest mark saw: whatever they made reachable, it and later ones see.

    To be called under `is_newest`.
    """
    await conn.execute(
        """
        DELETE FROM catalogue.holds WHERE tenant_id = $1
        AND pg_visible_in_snapshot(held_by, $2::text::pg_snapshot)
        """,
        mark.tenant_id,
        mark.snapshot,
    )
