"""What ingest and retention both write of packs, and ask of their removal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link


async def add_pack(
    conn: Link,
    tenant_id: UUID,
    pack_id: bytes,
    object_bytes: int,
    chunk_count: int,
    now: datetime,
) -> int | None:
    """Writes a pack down that was stored and is whole; None if there is a row of it already."""
    number: int | None = await conn.fetchval(
        """
        INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, state,
        stored_at, verified_at) VALUES ($1, $2, $3, $4, 'live', $5, $5)
        ON CONFLICT (tenant_id, pack_id) DO NOTHING RETURNING pack_no
        """,
        tenant_id,
        pack_id,
        object_bytes,
        chunk_count,
        now,
    )
    return number


async def is_being_removed(conn: Link, tenant_id: UUID, pack_id: bytes, snapshot: str) -> bool:
    """Whether a pack's object may have been deleted after this snapshot, or may still be.

    Ask once the pack's row is written: that waits for a deletion that is being decided.
    """
    return bool(
        await conn.fetchval(
            """
            SELECT true FROM catalogue.removals WHERE tenant_id = $1 AND pack_id = $2
            AND (removed_by IS NULL
            OR NOT pg_visible_in_snapshot(removed_by, $3::text::pg_snapshot))
            """,
            tenant_id,
            pack_id,
            snapshot,
        )
    )
