"""What reporting is told of the next sizes, for mails that offer them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.shared import clock, outbox
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import OffersChanged
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions.clients import contracts, telling
from services.portal.rules.orders import prices
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.prices import NoPrice, PriceList
from services.portal.store.clients import Tenant


async def tell(conn: Connection, tenant: Tenant, now: datetime) -> None:
    """Tells reporting of the next sizes, if they differ from what it was told; under the lock."""
    before = await store.orders.prices.find_published(conn, tenant.tenant_id)
    told = find_offers(
        await contracts.find_lists(conn), tenant.contracted_bytes, tenant.timezone, now
    )
    if told is None or told == before.told:
        return
    version = before.version + 1
    await store.orders.prices.put_published(conn, tenant.tenant_id, version, told)
    event = OffersChanged(tenant_id=tenant.tenant_id, version=version, **told)
    await outbox.add(conn, event)


async def tell_all(pool: Pool) -> int:
    """Tells reporting of every client whose next sizes or their prices are others by now.

    Returns of how many: they are new, other prices count, or another month began."""
    now = clock.now()
    async with transaction(pool) as conn:
        lists = await contracts.find_lists(conn)
        clients = await store.orders.prices.list_all_published(conn)
    count = 0
    for one in clients:
        if find_offers(lists, one.contracted_bytes, one.timezone, now) == one.told:
            continue
        async with transaction(pool) as conn:
            await tell(conn, await telling.lock_tenant(conn, one.tenant_id), now)
        count += 1
    return count


def find_offers(
    lists: Sequence[PriceList], contracted_bytes: int, timezone: str, now: datetime
) -> dict[str, Any] | None:
    """The currency and the next sizes of a client, as JSON; None where no list has a price."""
    try:
        found = prices.find_list(lists, Month.of(now, find_zone(timezone)))
    except NoPrice:
        return None
    return {
        "currency": found.currency,
        "offers": [
            {"storage_bytes": one.storage_bytes, "monthly": str(one.monthly)}
            for one in found.list_next_sizes(contracted_bytes)
        ],
    }
