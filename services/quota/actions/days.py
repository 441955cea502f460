"""What was held on each day, and what follows for the days to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import timekeeping
from libs.shared.database import Connection, Pool, transaction
from services.quota import rules, store
from services.quota.rules.forecasts import MOST_DAYS, Forecast

LONGEST_GAP = timedelta(days=100)


async def fill_days(pool: Pool) -> int:
    """Gives each tenant a row for each day, also for those on which nothing was heard of it."""
    today = (await timekeeping.check_time(pool)).date()
    async with transaction(pool) as conn:
        return await store.days.fill(conn, today - LONGEST_GAP, today)


async def foresee(
    conn: Connection, tenant_id: UUID, contracted_bytes: int, now: datetime
) -> Forecast | None:
    """When a tenant's contract is reached, by the days that are known."""
    stored = await store.days.list_stored(conn, tenant_id, MOST_DAYS)
    return rules.forecasts.foresee(stored, contracted_bytes, now.date())
