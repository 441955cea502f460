"""What fills a tenant's volume, by plan."""

from __future__ import annotations

from datetime import timedelta

from libs.shared import timekeeping
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import RunFinished
from services.quota import store

SENT_WITHIN = timedelta(days=30)
"""What runs sent counts for so long."""


async def keep_run(conn: Connection, event: RunFinished) -> None:
    """Keeps what a run sent, and what its plan protects if it made a restore point."""
    await store.plans.add_sent(conn, event.tenant_id, event)
    if event.restore_point:
        await store.plans.put(conn, event.tenant_id, event)


async def forget_sent(pool: Pool) -> None:
    """Removes what runs sent too long ago to be told."""
    now = await timekeeping.check_time(pool)
    async with transaction(pool) as conn:
        await store.plans.forget_sent(conn, now - SENT_WITHIN)
