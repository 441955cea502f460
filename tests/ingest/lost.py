"""A database that is lost: what the bucket brings back into an empty one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from libs.shared import bucket, catalogue, database, packs, sealing
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.ingest import actions
from tests.world.agents import Agent
from tests.world.house import House


def quiet(_line: str) -> None:
    """Says nothing."""


@dataclass
class Empty:
    """An empty migrated database beside the bucket of a service."""

    service: House
    ingest: actions.resources.Resources

    async def rebuild(
        self, *tenants: UUID, verify: bool = False
    ) -> list[actions.rebuild.rebuilding.Rebuilt]:
        """Rebuilds these tenants, or all."""
        rebuilt = []
        for only in tenants or (None,):
            rebuilt += await actions.rebuild.rebuilding.rebuild(
                self.ingest, only, verify=verify, say=quiet
            )
        return rebuilt

    async def fingerprint(self, tenant_id: UUID) -> str:
        return str(await actions.rebuild.fingerprints.take_fingerprint(self.ingest.pool, tenant_id))

    async def rows(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        async with database.acquire(self.ingest.pool) as conn:
            return [tuple(row) for row in await conn.fetch(statement, *arguments)]

    async def read(self, tenant_id: UUID, plan: str, run: int, path: bytes) -> bytes:
        """A file's content as of a restore point, opened chunk by chunk."""
        keys = await self.ingest.keys.get(tenant_id)
        async with database.acquire(self.ingest.pool) as conn:
            entry = await catalogue.find_entry(conn, tenant_id, UUID(plan), run, path)
            assert entry is not None, path
            ids = [entry.chunk_ids[at : at + 32] for at in range(0, len(entry.chunk_ids), 32)]
            places = await catalogue.locate_chunks(conn, tenant_id, ids)
        content = b""
        for chunk_id in ids:
            place = places[chunk_id]
            key = bucket.key_of_pack(tenant_id, place.pack_id)
            sealed = await self.ingest.objects.get_range(key, place.offset, place.length)
            payload = sealing.open_frame(sealed, keys, tenant_id, place.pack_id, place)
            content += packs.cut_out(packs.unpack_frame(payload, place), place)
        return content


@asynccontextmanager
async def empty_database(
    service: House, dsn: str, objects: ObjectStore | None = None
) -> AsyncIterator[Empty]:
    """Works with this database, beside the service's bucket or another, as its commands do."""
    objects = objects or service.objects
    pool = await database.create_pool(dsn, "ingest", max_size=4)
    ingest = actions.resources.Resources(
        pool, objects, KeyRing(objects, service.master_key), timedelta()
    )
    try:
        yield Empty(service, ingest)
    finally:
        ingest.close()
        await pool.close()


async def fingerprint_of(service: House, tenant_id: UUID) -> str:
    """The fingerprint in the service's own database."""
    pool = await database.create_pool(service.dsn("ingest"), "ingest", max_size=1)
    try:
        return str(await actions.rebuild.fingerprints.take_fingerprint(pool, tenant_id))
    finally:
        await pool.close()


async def numbers(empty: Empty, plan: str) -> list[int]:
    """The numbers of a plan's restore points."""
    rows = await empty.rows(
        "SELECT number FROM catalogue.runs WHERE plan_id = $1 ORDER BY number", UUID(plan)
    )
    return [row[0] for row in rows]


async def keys_like(service: House, agent: Agent, plan: str, what: str) -> list[str]:
    """What the bucket has of a plan's runs whose keys begin so."""
    prefix = bucket.runs_of(agent.tenant.tenant_id, UUID(plan))
    return [key async for key, _ in service.objects.list(prefix + what)]
