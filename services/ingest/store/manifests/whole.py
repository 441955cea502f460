"""All versions of a plan, whichever run sees them: for whole lists and fingerprints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared import bucket, reasons
from libs.shared.database import Connection
from services.ingest import rules

_FOLDERS_AT_ONCE = 64
_ROWS_AT_ONCE = 2_000


class Version(NamedTuple):
    """A version with the moment at which its first run was committed."""

    content: rules.manifests.content.Listed
    received_at: datetime


async def walk_versions(
    conn: Connection, tenant_id: UUID, plan_id: UUID
) -> AsyncIterator[tuple[bytes, list[Version]]]:
    """Yields folders' paths with some of the versions that lie in them.

    Needs an open transaction; holds one slice and the folders still to visit, never the tree.
    """
    waiting = await _list_children(conn, tenant_id, plan_id, {0: b""})
    while waiting:
        # Newest first keeps the waiting list as short as the tree is deep times a folder's width.
        folders = dict(waiting.pop() for _ in range(min(_FOLDERS_AT_ONCE, len(waiting))))
        async for folder_id, versions in _walk_folders(conn, tenant_id, list(folders)):
            yield folders[folder_id], versions
        waiting += await _list_children(conn, tenant_id, plan_id, folders)


async def _list_children(
    conn: Connection, tenant_id: UUID, plan_id: UUID, parents: dict[int, bytes]
) -> list[tuple[int, bytes]]:
    """Returns (id, path) of the folders directly in these; the root's own parent is 0."""
    rows = await conn.fetch(
        """
        SELECT parent_id, folder_id, name FROM catalogue.folders
        WHERE tenant_id = $1 AND plan_id = $2 AND parent_id = ANY($3::bigint[])
        """,
        tenant_id,
        plan_id,
        list(parents),
    )
    return [(row[1], b"/".join(filter(None, (parents[row[0]], row[2])))) for row in rows]


async def _walk_folders(
    conn: Connection, tenant_id: UUID, folder_ids: list[int]
) -> AsyncIterator[tuple[int, list[Version]]]:
    cursor = conn.cursor(
        # A look-up for each folder, as in libs.shared.catalogue.walk.
        """
        SELECT v.folder_id, v.received_at, v.name, v.kind::text, v.mode, v.mtime_ns, v.uid,
            v.gid, v.size, v.target, v.chunk_ids, v.crc32, v.first_run, v.last_run
        FROM unnest($2::bigint[]) WITH ORDINALITY AS k (folder_id, place) CROSS JOIN LATERAL (
        SELECT * FROM catalogue.versions WHERE tenant_id = $1 AND folder_id = k.folder_id
        ORDER BY name, first_run) v
        ORDER BY k.place, v.name, v.first_run
        """,
        tenant_id,
        folder_ids,
        prefetch=_ROWS_AT_ONCE,
    )
    current = 0
    versions: list[Version] = []
    async for folder_id, received_at, *columns in cursor:
        if versions and (folder_id != current or len(versions) >= _ROWS_AT_ONCE):
            yield current, versions
            versions = []
        current = folder_id
        versions.append(Version(rules.manifests.content.Listed(*columns), received_at))
    if versions:
        yield current, versions


async def list_points(conn: Connection, tenant_id: UUID, plan_id: UUID) -> list[bucket.Point]:
    """Returns the restore points of a plan, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT c.number, c.run_id, r.parent, coalesce(r.started_at, c.committed_at) AS started_at,
            c.committed_at, coalesce(r.outcome, 'succeeded') AS outcome, r.reason,
            c.files_total, c.bytes_protected FROM catalogue.runs c LEFT JOIN runs r USING (run_id)
        WHERE c.tenant_id = $1 AND c.plan_id = $2 ORDER BY c.number
        """,
        tenant_id,
        plan_id,
    )
    return [bucket.Point(**{**row, "reason": reasons.read(row["reason"])}) for row in rows]


async def list_plans(conn: Connection, tenant_id: UUID) -> list[tuple[UUID, UUID, str]]:
    """Returns (plan, agent, name) of the tenant's plans that have a restore point."""
    rows = await conn.fetch(
        """
        SELECT plan_id, agent_id, name FROM catalogue.plans
        WHERE tenant_id = $1 AND last_run IS NOT NULL ORDER BY plan_id
        """,
        tenant_id,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def list_tenants(conn: Connection) -> list[UUID]:
    """Returns the tenants that the catalogue holds anything of."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM catalogue.plans UNION SELECT tenant_id FROM catalogue.volumes
        ORDER BY tenant_id
        """
    )
    return [row[0] for row in rows]
