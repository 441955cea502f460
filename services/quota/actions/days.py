"""What was held on each day, and what follows for the days to come."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from uuid import UUID

from libs.shared import outbox, timekeeping
from libs.shared.database import Connection, Pool, acquire, transaction
from libs.shared.events import VolumeCounted
from services.quota import rules, store
from services.quota.rules.forecasts import MOST_DAYS, Forecast

LONGEST_GAP = timedelta(days=100)
DAYS_AT_ONCE = 500


async def fill_days(pool: Pool) -> int:
    """Gives each tenant a row for each day, also for those on which nothing was heard of it."""
    today = (await timekeeping.check_time(pool)).date()
    async with transaction(pool) as conn:
        return await store.days.fill(conn, today - LONGEST_GAP, today)


async def tell_days(pool: Pool) -> int:
    """Tells the portal of the days that are over; returns of how many."""
    today = (await timekeeping.check_time(pool)).date()
    count = 0
    while True:
        async with transaction(pool) as conn:
            days = await store.days.take_pending(conn, today, DAYS_AT_ONCE)
            await outbox.add_all(conn, [await _counted(conn, one, today) for one in days])
        count += len(days)
        if len(days) < DAYS_AT_ONCE:
            return count


async def tell_all_again(pool: Pool, tenant_id: UUID | None) -> int:
    """Has the next turn tell all days once more, for a portal that lost them; returns how many."""
    async with transaction(pool) as conn:
        return await store.days.mark_pending(conn, tenant_id)


async def _counted(conn: Connection, one: store.days.Day, today: date) -> VolumeCounted:
    forecast = None
    if one.contracted_bytes is not None and one.day == today - timedelta(days=1):
        stored = await store.days.list_stored(conn, one.tenant_id, MOST_DAYS)
        forecast = rules.forecasts.foresee(stored, one.contracted_bytes, today)
    reached_on = None if forecast is None else forecast.reached_on
    return VolumeCounted(**asdict(one), reached_on=reached_on)


async def foresee(
    conn: Connection, tenant_id: UUID, contracted_bytes: int, now: datetime
) -> Forecast | None:
    """When a tenant's contract is reached, by the days that are known."""
    stored = await store.days.list_stored(conn, tenant_id, MOST_DAYS)
    return rules.forecasts.foresee(stored, contracted_bytes, now.date())


async def foresee_all(pool: Pool, now: datetime) -> dict[UUID, int | None]:
    """In how many days each tenant's contract is reached; None where there is no trend to it."""
    async with acquire(pool) as conn:
        volumes = await store.accounts.list_volumes(conn)
    found: dict[UUID, int | None] = {}
    for one in volumes:
        async with acquire(pool) as conn:
            forecast = await foresee(conn, one.tenant_id, one.contracted_bytes, now)
        reached_on = forecast.reached_on if forecast else None
        found[one.tenant_id] = max((reached_on - now.date()).days, 0) if reached_on else None
    return found
