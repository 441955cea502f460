"""Time in: what quota does every so often, and what it measures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import get_args

from prometheus_client import Gauge

from libs.shared import clock, database
from libs.shared.database import Pool
from libs.shared.events import SubscriptionState
from libs.shared.runtime import Job, Jobs
from services.quota import actions, rules, store

_DAYS = (1, 7, 30, 90)
_MORE, _NO_TREND, _OVER = "more", "none", "over"

CLIENTS = Gauge("coffre_clients", "Clients by subscription", ["subscription"])
LEVELS = Gauge(
    "coffre_clients_at_level", "Clients by the percent of their contract reached", ["percent"]
)
BLOCKED = Gauge("coffre_clients_blocked", "Clients that may not grow at the moment")
STORED = Gauge("coffre_stored_bytes", "Bytes stored of all clients")
PROTECTED = Gauge("coffre_protected_bytes", "Bytes that the newest restore points protect")
CONTRACTED = Gauge("coffre_contracted_bytes", "Bytes contracted by all clients")
CASES = Gauge(
    "coffre_overage_cases_open",
    "Overage cases open, by the days left until growth is blocked, each counted once",
    ["days_left"],
)
FULL = Gauge(
    "coffre_clients_full_in",
    "Clients by the days left until their contract is reached, each counted once",
    ["days_left"],
)
TENANT_STORED = Gauge("coffre_tenant_stored_bytes", "Bytes stored of a client", ["tenant"])
TENANT_CONTRACTED = Gauge(
    "coffre_tenant_contracted_bytes", "Bytes contracted by a client", ["tenant"]
)
TENANT_DAYS = Gauge(
    "coffre_tenant_days_left",
    "Days until a client's contract is reached; none where there is no trend",
    ["tenant"],
)


async def measure_volumes(pool: Pool) -> None:
    """Tells what all clients store of what they contracted."""
    async with database.acquire(pool) as conn:
        sums = await store.accounts.sum_up(conn)
        deadlines = await store.cases.list_deadlines(conn)
    for state in get_args(SubscriptionState):
        CLIENTS.labels(state).set(sum(one.clients for one in sums if one.subscription == state))
    for percent in (0, *rules.levels.LEVELS, rules.levels.OVER):
        LEVELS.labels(percent).set(sum(one.clients for one in sums if one.level_percent == percent))
    BLOCKED.set(sum(one.blocked for one in sums))
    STORED.set(sum(one.stored_bytes for one in sums))
    PROTECTED.set(sum(one.protected_bytes for one in sums))
    CONTRACTED.set(sum(one.contracted_bytes for one in sums))
    now = clock.now()
    _count_days_left(CASES, [(deadline - now).days for deadline in deadlines])


async def measure_forecasts(pool: Pool) -> None:
    """Tells when contracts will be reached: one look into an index a client."""
    foreseen = await actions.days.foresee_all(pool, clock.now())
    _count_days_left(FULL, foreseen.values())


async def measure_tenants(pool: Pool) -> None:
    """Tells what each client stores of what it contracted, and when that is reached."""
    async with database.acquire(pool) as conn:
        volumes = await store.accounts.list_volumes(conn)
    foreseen = await actions.days.foresee_all(pool, clock.now())
    for gauge in (TENANT_STORED, TENANT_CONTRACTED, TENANT_DAYS):
        gauge.clear()
    for one in volumes:
        TENANT_STORED.labels(one.tenant_id).set(one.stored_bytes)
        TENANT_CONTRACTED.labels(one.tenant_id).set(one.contracted_bytes)
        days_left = foreseen.get(one.tenant_id)
        if days_left is not None:
            TENANT_DAYS.labels(one.tenant_id).set(days_left)


def _count_days_left(gauge: Gauge, days_left: Iterable[int | None]) -> None:
    """Counts each in the first of _DAYS that is enough for it."""
    names = [_find_days(left) for left in days_left]
    for name in (_OVER, *map(str, _DAYS), _MORE, _NO_TREND):
        gauge.labels(name).set(names.count(name))


def _find_days(left: int | None) -> str:
    if left is None:
        return _NO_TREND
    if left < 0:
        return _OVER
    return next((str(most) for most in _DAYS if left <= most), _MORE)


JOBS: Jobs[Pool] = [
    Job("settle_cases", timedelta(seconds=30), actions.cases.settle_due, leader=True),
    Job("fill_days", timedelta(hours=1), actions.days.fill_days, leader=True),
    Job("tell_days", timedelta(hours=1), actions.days.tell_days, leader=True),
    Job("forget_sent", timedelta(hours=6), actions.plans.forget_sent, leader=True),
    Job("measure_volumes", timedelta(minutes=1), measure_volumes),
    Job("measure_forecasts", timedelta(hours=1), measure_forecasts),
]

PER_TENANT: Jobs[Pool] = [
    Job("measure_tenants", timedelta(hours=1), measure_tenants),
]
"""What is done as well where an operator asked for figures of each client."""
