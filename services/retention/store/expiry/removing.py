"""SQL of what goes: restore points, versions, and what is left without any."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.retention.store.sessions import LONG_SECONDS


async def remove_broken_points(
    conn: Connection, tenant_id: UUID, plan_id: UUID, oldest_kept: int
) -> list[int]:
    """Deletes the restore points that see a version which ended before `oldest_kept`."""
    rows = await conn.fetch(
        """
        DELETE FROM catalogue.runs r WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.number < $3
        AND EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = $2
            AND v.last_run >= r.number AND v.last_run < $3 AND v.first_run <= r.number)
        RETURNING r.number
        """,
        tenant_id,
        plan_id,
        oldest_kept,
        timeout=LONG_SECONDS,
    )
    return sorted(row[0] for row in rows)


async def remove_digests(conn: Connection, tenant_id: UUID, plan_id: UUID) -> int:
    """Deletes what folders came to at no restore point that is left; returns how many rows."""
    status = await conn.execute(
        """
        DELETE FROM catalogue.folder_digests d USING catalogue.folders f
        WHERE f.tenant_id = $1 AND f.plan_id = $2 AND d.tenant_id = $1
        AND d.folder_id = f.folder_id AND NOT EXISTS (SELECT FROM catalogue.runs r
            WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.number >= d.first_run
            AND r.number < (SELECT min(n.first_run) FROM catalogue.folder_digests n
                WHERE n.tenant_id = $1 AND n.folder_id = d.folder_id
                AND n.first_run > d.first_run))
        AND EXISTS (SELECT FROM catalogue.folder_digests n WHERE n.tenant_id = $1
            AND n.folder_id = d.folder_id AND n.first_run > d.first_run)
        """,
        tenant_id,
        plan_id,
        timeout=LONG_SECONDS,
    )
    return database.changed(status)


async def remove_versions(
    conn: Connection, tenant_id: UUID, plan_id: UUID, oldest_kept: int, limit: int
) -> tuple[int, int]:
    """Deletes some of the versions that ended before `oldest_kept`; returns (how many, bytes)."""
    row = await conn.fetchrow(
        """
        WITH gone AS (
            DELETE FROM catalogue.versions WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM catalogue.versions
                WHERE tenant_id = $1 AND plan_id = $2 AND last_run < $3 LIMIT $4))
            RETURNING size
        ) SELECT count(*), coalesce(sum(size), 0)::bigint FROM gone
        """,
        tenant_id,
        plan_id,
        oldest_kept,
        limit,
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return row[0], row[1]


async def remove_attribute_sets(conn: Connection, tenant_id: UUID, used_before: datetime) -> int:
    """Deletes sets of attributes that no version has any more; returns how many.

    A commit that brings one again moves its `used_at` under the row's lock, and this looks again.
    """
    status = await conn.execute(
        """
        DELETE FROM catalogue.attribute_sets s WHERE s.tenant_id = $1 AND s.used_at < $2
        AND NOT EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1
            AND v.attributes_id = s.attributes_id)
        """,
        tenant_id,
        used_before,
        timeout=LONG_SECONDS,
    )
    return database.changed(status)
