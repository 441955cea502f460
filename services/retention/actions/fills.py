"""What fills a client's volume, counted after it changed, as often as that stays cheap."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import database
from libs.shared.catalogue import volumes
from services.retention import rules, store
from services.retention.actions.resources import Resources


async def measure_tenant(resources: Resources, tenant_id: UUID, now: datetime) -> int:
    """Writes down what each folder holds and would free; returns how many folders."""
    began = time.monotonic()
    async with (
        database.acquire(resources.pool) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await store.sessions.allow_long_statements(conn)
        volume = await volumes.read(conn, tenant_id)
        folders = await store.fills.list_folders(conn, tenant_id)
        current = await store.fills.list_current(conn, tenant_id)
        needed = await store.fills.list_needed(conn, tenant_id)
    fills = await asyncio.to_thread(rules.fills.sum_up, folders, current, needed)
    took = timedelta(seconds=time.monotonic() - began)
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        await store.fills.put_all(conn, tenant_id, fills, now)
        next_at = now + rules.fills.find_pause(took)
        await store.fills.put_count(conn, tenant_id, volume.sequence, next_at)
    return len(fills)
