"""What a subscription's beginning, end and return mean for what is due: orders as others are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from libs.shared.database import Connection
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.rules.clients import Step
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders import ordering, prices
from services.portal.rules.orders.ordering import WHATS, Order, OrderWish
from services.portal.rules.orders.prices import PriceList
from services.portal.store.clients import Tenant


async def find_lists(conn: Connection) -> list[PriceList]:
    """The price lists that count."""
    return [prices.from_json(one) for one in (await store.orders.prices.find(conn)).lists]


async def open_contract(
    conn: Connection, operator: Actor, tenant: Tenant, now: datetime, *, is_back: bool
) -> None:
    """Writes a client's storage and seats as its first orders.

    is_back: it was there before a loss of the database, and pays no entry again.
    Raises NoPrice, SizeNotOffered."""
    lists, orders = await find_lists(conn), list[Order]()
    for wish in (OrderWish("storage", tenant.contracted_bytes), OrderWish("seats", tenant.seats)):
        order = ordering.make_order(
            orders,
            lists,
            wish,
            before=0,
            cause="opened",
            by=operator.name,
            now=now,
            zone=find_zone(tenant.timezone),
        )
        orders.append(replace(order, entry_fee=Decimal(0)) if is_back else order)
    await _add(conn, tenant, orders)


async def follow_subscription(
    conn: Connection, actor: Actor, tenant: Tenant, step: Step, now: datetime
) -> None:
    """Lets what is due stop with the month of a subscription's end, or begin again.

    The client is locked; other steps change nothing: what is suspended is due."""
    orders = await store.orders.placed.list_of_tenant(conn, tenant.tenant_id)
    if step == "end":
        await store.orders.placed.drop_pending(conn, tenant.tenant_id, WHATS)
        zone = find_zone(tenant.timezone)
        await _add(conn, tenant, ordering.end_orders(orders, actor.name, now, zone))
    elif step == "reinstate":
        await _add(conn, tenant, ordering.reopen_orders(orders, actor.name, now))


async def _add(conn: Connection, tenant: Tenant, orders: Iterable[Order]) -> None:
    for one in orders:
        await store.orders.placed.add(conn, tenant.tenant_id, one)
