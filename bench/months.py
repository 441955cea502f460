"""A month is closed: the ledger of a thousand clients, with three years in it.

`python -m bench.months` fills a portal in a PostgreSQL of its own, and prints times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.catalogue import open_server
from libs.shared import clock, database
from libs.shared.database import Pool
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions.orders import billing
from services.portal.rules.log.chain import COFFRE
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.ordering import Order, OrderWish, make_order
from services.portal.rules.orders.prices import from_json
from services.portal.store.clients import Tenant

TENANTS = 1_000
MONTHS = 36
ORDERS = 12
"""How many a client placed in that time, beside the two that began its contract."""

_ZONE = find_zone("Europe/Paris")


def main() -> int:
    """Fills, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.months", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--tenants", type=int, default=TENANTS)
    options = parser.parse_args()
    print(json.dumps(measure(options.dir.resolve(), options.tenants)))
    return 0


def measure(folder: Path, tenants: int = TENANTS) -> dict[str, Any]:
    """How many seconds it takes to close all months, one more, and one of long ago once more."""
    with open_server(folder / "months") as admin_dsn:
        return asyncio.run(_measure(admin_dsn, tenants))


async def _measure(admin_dsn: str, tenants: int) -> dict[str, Any]:
    passwords = {role: secrets.token_hex(8) for role in database.ROLES}
    await database.bootstrap(admin_dsn, "coffre", passwords)
    for service in database.SERVICES:
        await database.migrate(_dsn(admin_dsn, "coffre_owner", passwords), service)
    dsn = _dsn(admin_dsn, "coffre_portal", passwords)
    pool = await database.create_pool(dsn, "portal")
    last = _before(Month.of(clock.now(), _ZONE), 1)
    await _fill(pool, tenants, _before(last, MONTHS).begins_at(_ZONE) + timedelta(days=3))
    took: dict[str, Any] = {"tenants": tenants, "months": MONTHS}
    for name, month in (
        ("all_seconds", _before(last, 1)),
        ("next_seconds", last),
        ("again_seconds", _before(last, MONTHS // 2)),
    ):
        began = time.perf_counter()
        done = await billing.close_month(pool, COFFRE, month)
        took[name] = round(time.perf_counter() - began, 2)
        took[name.replace("seconds", "lines")] = done.lines
    await pool.close()
    return took


async def _fill(pool: Pool, tenants: int, opened_at: datetime) -> None:
    """Clients with orders at random moments of all months but the last."""
    chance = random.Random(7)
    async with database.transaction(pool) as conn:
        lists = [from_json(one) for one in (await store.orders.prices.find(conn)).lists]
    for number in range(tenants):
        tenant = Tenant(
            uuid4(), f"Client {number}", "fr", "Europe/Paris", 10**11, 3, 30, "active", "",
            opened_at, None, None, None, None, 1, opened_at,
        )  # fmt: skip
        moments = sorted(
            opened_at + timedelta(hours=chance.randrange(24 * 30 * (MONTHS - 1)))
            for _ in range(ORDERS)
        )
        has = {"storage": 0, "seats": 0}
        orders: list[Order] = []
        for now in (opened_at, opened_at, *moments):
            what = "storage" if len(orders) % 2 == 0 else "seats"
            after = chance.randint(1, 9) * (10**11 if what == "storage" else 1)
            wish = OrderWish("storage" if what == "storage" else "seats", after)
            orders.append(
                make_order(
                    orders, lists, wish, before=has[what], cause="ordered", by="Camille",
                    now=now, zone=_ZONE,
                )
            )  # fmt: skip
            has[what] = after
        async with database.transaction(pool) as conn:
            await store.clients.add(conn, tenant)
            for order in orders:
                await store.orders.placed.add(conn, tenant.tenant_id, order)


def _before(month: Month, months: int) -> Month:
    years, number = divmod(month.year * 12 + month.number - 1 - months, 12)
    return Month(years, number + 1)


def _dsn(admin_dsn: str, role: str, passwords: dict[str, str]) -> str:
    host = admin_dsn.rpartition("@")[2].rpartition("/")[0]
    return f"postgresql://{role}:{passwords[role]}@{host}/coffre"


if __name__ == "__main__":
    sys.exit(main())
