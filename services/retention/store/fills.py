"""What fills a client's volume, folder by folder: the sums behind it, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.shared.catalogue.rows import kept, stored
from libs.shared.database import Connection
from services.retention.rules.fills import Fill, Folder
from services.retention.store.sessions import LONG_SECONDS

_KEPT = kept("v")


async def list_due(conn: Connection, now: datetime) -> list[UUID]:
    """Returns the tenants whose volume changed since their fills were counted, if it is time."""
    rows = await conn.fetch(
        """
        SELECT v.tenant_id FROM catalogue.volumes v LEFT JOIN fill_counts f USING (tenant_id)
        WHERE f.sequence IS DISTINCT FROM v.sequence AND (f.next_at IS NULL OR f.next_at <= $1)
        ORDER BY f.next_at NULLS FIRST
        """,
        now,
    )
    return [row[0] for row in rows]


async def put_count(conn: Connection, tenant_id: UUID, sequence: int, next_at: datetime) -> None:
    """Writes down which state of the volume was counted, and when to count again at the soonest."""
    await conn.execute(
        """
        INSERT INTO fill_counts (tenant_id, sequence, next_at) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET sequence = $2, next_at = $3
        """,
        tenant_id,
        sequence,
        next_at,
    )


async def list_folders(conn: Connection, tenant_id: UUID) -> dict[int, Folder]:
    """Returns all folders of a tenant's plans."""
    rows = await conn.fetch(
        """
        SELECT folder_id, plan_id, parent_id, name FROM catalogue.folders WHERE tenant_id = $1
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return {row[0]: Folder(*row) for row in rows}


async def list_current(conn: Connection, tenant_id: UUID) -> list[tuple[int, int, int]]:
    """Returns (folder, files, bytes) of what lies directly in each folder now."""
    rows = await conn.fetch(
        f"""
        SELECT folder_id, count(*), sum(size)::bigint FROM catalogue.versions v
        WHERE tenant_id = $1 AND last_run IS NULL AND kind = 'f' AND {_KEPT} GROUP BY folder_id
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def list_needed(conn: Connection, tenant_id: UUID) -> list[tuple[list[int], int]]:
    """Returns (folders, stored bytes) of the chunks that versions in just these folders need."""
    rows = await conn.fetch(
        f"""
        SELECT n.folders, sum({stored("c")})::bigint FROM (
            SELECT id, array_agg(DISTINCT folder_id ORDER BY folder_id) AS folders FROM (
                SELECT split_ids(v.chunk_ids) AS id, v.folder_id FROM catalogue.versions v
                WHERE v.tenant_id = $1 AND v.kind = 'f' AND {_KEPT}) s GROUP BY id
        ) n JOIN catalogue.chunks c ON c.tenant_id = $1 AND c.chunk_id = n.id
        JOIN catalogue.packs p ON p.tenant_id = $1 AND p.pack_no = c.pack_no
            AND p.state <> 'condemned'
        GROUP BY n.folders
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    return [(row[0], row[1]) for row in rows]


async def put_all(conn: Connection, tenant_id: UUID, fills: Sequence[Fill], now: datetime) -> None:
    """Keeps what fills a tenant's volume in place of what was kept."""
    await conn.execute(
        """
        DELETE FROM catalogue.fills WHERE tenant_id = $1
        """,
        tenant_id,
        timeout=LONG_SECONDS,
    )
    await conn.execute(
        """
        INSERT INTO catalogue.fills (tenant_id, counted_at, folder_id, plan_id, parent_id, name,
            files, size_bytes, freed_bytes)
        SELECT $1, $2, * FROM unnest($3::bigint[], $4::uuid[], $5::bigint[], $6::bytea[],
            $7::bigint[], $8::bigint[], $9::bigint[]) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        now,
        [one.folder.folder_id for one in fills],
        [one.folder.plan_id for one in fills],
        [one.folder.parent_id for one in fills],
        [one.folder.name for one in fills],
        [one.files for one in fills],
        [one.size_bytes for one in fills],
        [one.freed_bytes for one in fills],
        timeout=LONG_SECONDS,
    )
