"""Quota's handlers on a real database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import database as databases
from libs.shared.events import Event, TenantChanged, VolumeChanged
from services.quota.consumers import HANDLERS
from tests.world.tenants import tenant_changed


class Counter:
    """What quota knows and says of tenants."""

    def __init__(self, pool: databases.Pool, dsn: str) -> None:
        self.pool = pool
        self.dsn = dsn
        self.tenant_id = uuid4()

    def contract(self, version: int = 1, contracted_bytes: int = 1000) -> TenantChanged:
        return tenant_changed(self.tenant_id, version, contracted_bytes=contracted_bytes)

    def volume(self, sequence: int, stored_bytes: int) -> VolumeChanged:
        return VolumeChanged(
            tenant_id=self.tenant_id,
            stored_bytes=stored_bytes,
            protected_bytes=2 * stored_bytes,
            sequence=sequence,
        )

    async def handle(self, *events: Event) -> None:
        for event in events:
            async with databases.transaction(self.pool) as conn:
                await HANDLERS[type(event)](conn, event)

    async def row(self, tenant_id: UUID | None = None) -> dict[str, Any] | None:
        async with self.pool.acquire() as conn:
            found = await conn.fetchrow(
                "SELECT * FROM allowances WHERE tenant_id = $1", tenant_id or self.tenant_id
            )
        return dict(found) if found else None

    async def said(self) -> list[tuple[int, int, bool, str]]:
        """Version, ceiling, blocked and reason of each allowance published."""
        async with self.pool.acquire() as conn:
            rows = await conn.fetch(
                "SELECT payload FROM outbox WHERE type = 'allowance.changed.v1' "
                "AND tenant_id = $1 ORDER BY position",
                self.tenant_id,
            )
        told = [json.loads(row["payload"]) for row in rows]
        return [(t["version"], t["ceiling_bytes"], t["blocked"], t["reason"]) for t in told]


@pytest.fixture
async def counter(database: Any) -> AsyncIterator[Counter]:
    dsn = database.dsn("quota")
    pool = await databases.create_pool(dsn, "quota")
    yield Counter(pool, dsn)
    await pool.close()
