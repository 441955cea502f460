"""All versions of a plan, whichever run sees them: for whole lists and fingerprints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from libs.shared import bucket, catalogue, reasons
from libs.shared.database import Connection
from services.ingest import rules


class DatedVersion(NamedTuple):
    """A version with the moment at which its first run was committed."""

    content: rules.manifests.content.ListedVersion
    received_at: datetime


def _version(received_at: datetime, *columns: Any) -> DatedVersion:
    return DatedVersion(rules.manifests.content.ListedVersion(*columns), received_at)


_VERSIONS = catalogue.Columns(
    "v.received_at, v.name, v.kind::text, v.mode, v.mtime_ns, v.uid, v.gid, v.size, v.target,"
    f" v.chunk_ids, v.crc32, v.first_run, v.last_run, {catalogue.ATTRIBUTES}",
    _version,
)


async def walk_versions(
    conn: Connection, tenant_id: UUID, plan_id: UUID
) -> AsyncIterator[tuple[bytes, list[DatedVersion]]]:
    """Yields folders' paths with some of the versions that lie in them.

    Needs an open transaction that sees one moment; holds some slices, never the tree.
    """
    tree = catalogue.Tree(tenant_id, plan_id, None)
    async for folders in catalogue.walk(lambda: nullcontext(conn), tree, _VERSIONS):
        for folder, versions in folders:
            yield folder, versions


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
