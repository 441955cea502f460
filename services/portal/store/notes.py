"""What operators noted of clients for each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection


@dataclass(frozen=True)
class Note:
    """One note, by whom and when."""

    note_id: UUID
    text: str
    written_by: str
    written_at: datetime


async def add(conn: Connection, tenant_id: UUID, note: Note) -> None:
    await conn.execute(
        """
        INSERT INTO notes (tenant_id, note_id, text, written_by, written_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        tenant_id,
        note.note_id,
        note.text,
        note.written_by,
        note.written_at,
    )


async def remove(conn: Connection, tenant_id: UUID, note_id: UUID) -> bool:
    """Takes a note away; False if there is none."""
    row = await conn.fetchrow(
        """
        DELETE FROM notes WHERE tenant_id = $1 AND note_id = $2 RETURNING note_id
        """,
        tenant_id,
        note_id,
    )
    return row is not None


async def list_of_tenant(conn: Connection, tenant_id: UUID) -> list[Note]:
    """A client's notes, the newest first."""
    rows = await conn.fetch(
        """
        SELECT note_id, text, written_by, written_at FROM notes
        WHERE tenant_id = $1 ORDER BY written_at DESC, note_id
        """,
        tenant_id,
    )
    return [Note(**row) for row in rows]
