"""A tenant's fingerprint: equal for two catalogues that give their clients the same."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

import msgspec
from blake3 import blake3

from libs.shared import bucket, database
from libs.shared.database import Connection, Pool
from services.ingest import rules, store


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What restore points show, whatever numbers rows have and in whichever packs chunks lie."""

    tenant_id: UUID
    digest: str
    plans: int
    points: int
    versions: int

    def __str__(self) -> str:
        return (
            f"{self.tenant_id} {self.digest} plans={self.plans}"
            f" restore-points={self.points} versions={self.versions}"
        )


async def list_tenants(pool: Pool) -> list[UUID]:
    """Returns the tenants that the catalogue holds anything of."""
    async with database.acquire(pool) as conn:
        return await store.manifests.whole.list_tenants(conn)


async def take_fingerprint(pool: Pool, tenant_id: UUID) -> Fingerprint:
    """Reads all that a tenant's restore points show, at one moment; in bounded memory."""
    digest = blake3()
    plans = points = versions = 0
    async with (
        database.acquire(pool) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await store.sessions.allow_long_statements(conn)
        for plan_id, agent_id, name in await store.manifests.whole.list_plans(conn, tenant_id):
            of_plan = await store.manifests.whole.list_points(conn, tenant_id, plan_id)
            content = await _take_content(conn, tenant_id, plan_id, of_plan)
            digest.update(
                msgspec.json.encode(
                    [plan_id, agent_id, name, [_shown(p) for p in of_plan], content.digest]
                )
            )
            plans, points = plans + 1, points + len(of_plan)
            versions += content.versions
    return Fingerprint(tenant_id, digest.hexdigest(), plans, points, versions)


def _shown(point: bucket.Point) -> list[object]:
    return [
        point.number,
        point.run_id,
        point.committed_at,
        point.outcome,
        point.reason,
        point.files_total,
        point.bytes_protected,
    ]


async def _take_content(
    conn: Connection, tenant_id: UUID, plan_id: UUID, points: list[bucket.Point]
) -> rules.manifests.content.Content:
    content = rules.manifests.content.Content()
    numbers = [point.number for point in points]
    async for folder, versions in store.manifests.whole.walk_versions(conn, tenant_id, plan_id):
        content.add(folder, _seen(numbers, (version.content for version in versions)))
    return content


def _seen(
    numbers: list[int], versions: Iterable[rules.manifests.content.ListedVersion]
) -> Iterator[rules.manifests.content.ListedVersion]:
    """Those that a restore point sees, and up to which one."""
    for version in versions:
        last = numbers[-1] if version.last_run is None else version.last_run
        place = bisect_right(numbers, last) - 1
        if place >= 0 and numbers[place] >= version.first_run:
            until = None if version.last_run is None else numbers[place]
            yield version._replace(last_run=until)
