"""Daily allowances: counted where something is written, and refused with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from prometheus_client import Counter

from libs.shared import clock, database, logs
from libs.shared.database import Connection
from services.ingest import rules, store
from services.ingest.actions.resources import Resources
from services.ingest.rules.refusals import AllowanceUsed
from services.ingest.rules.usage import Kind

_KEPT = timedelta(days=7)
_REFUSED = Counter("coffre_allowances_refused", "Requests beyond a client's allowance", ["kind"])
for _kind in get_args(Kind):
    _REFUSED.labels(_kind)


async def use(conn: Connection, tenant_id: UUID, kind: Kind, amount: int, now: datetime) -> None:
    """Counts what a client is about to make us write; raises AllowanceUsed.

    What is refused is rolled back, its count too. The row stays locked: as late in a transaction
    as it can be, before a volume's.
    """
    used = await store.usage.add(conn, tenant_id, now.astimezone(UTC).date(), kind, amount)
    try:
        rules.usage.check_usage(kind, used, now)
    except AllowanceUsed:
        _REFUSED.labels(kind).inc()
        logs.get().warning("allowance.used", tenant_id=str(tenant_id), kind=kind, amount=used)
        raise


async def tell(
    conn: Connection, tenant_id: UUID, ending: rules.reported.Ending, now: datetime
) -> rules.reported.Ending:
    """What is kept of a run's end: beyond the day's allowance its numbers alone.

    A run must not fail because too much was said of others.
    """
    weight = len(ending.model_dump_json())
    used = await store.usage.add(conn, tenant_id, now.astimezone(UTC).date(), "told-bytes", weight)
    if used <= rules.usage.MOST["told-bytes"]:
        return ending
    _REFUSED.labels("told-bytes").inc()
    logs.get().warning("ending.shortened", tenant_id=str(tenant_id), amount=used)
    return ending.numbers_alone()


async def forget_usage(resources: Resources) -> int:
    """Forgets days that are long over."""
    async with database.acquire(resources.pool) as conn:
        return await store.usage.forget(conn, (clock.now() - _KEPT).date())
