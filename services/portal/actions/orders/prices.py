"""Operators put price lists, and look at them."""

from __future__ import annotations

from collections.abc import Sequence

from libs.shared import clock, errors
from libs.shared.database import Pool, transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders import prices
from services.portal.rules.orders.prices import PriceList
from services.portal.store.orders.prices import Put


async def view_prices(pool: Pool, operator: Actor) -> Put:
    """The price lists that count."""
    async with transaction(pool) as conn:
        found = await store.orders.prices.find(conn)
        await log.note(conn, operator, acts.PricesViewed())
    return found


async def put_prices(
    pool: Pool, operator: Actor, lists: Sequence[PriceList], replaces: int | None
) -> Put:
    """Replaces the price lists; what was ordered keeps its price.

    replaces: the version that the operator saw, if they care. Raises InvalidRequest, Conflict.
    """
    prices.check_lists(lists)
    now = clock.now()
    async with transaction(pool) as conn:
        before = await store.orders.prices.find(conn)
        put = Put(before.version + 1, now, operator.name, [prices.to_json(one) for one in lists])
        is_first = replaces in (None, before.version)
        if not is_first or not await store.orders.prices.add(conn, put):
            raise errors.Conflict("Somebody else has put prices meanwhile; look at them first.")
        await log.note(conn, operator, acts.PricesPut(put.version, len(lists)))
    return put
