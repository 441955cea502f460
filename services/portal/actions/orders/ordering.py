"""An order is looked at first, then placed once: by administrators, by operators for a client."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from libs.shared import clock
from libs.shared.database import Connection, Pool, transaction
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import contracts, telling
from services.portal.actions.orders import effects
from services.portal.rules.log import acts
from services.portal.rules.log.chain import NOBODY, Actor
from services.portal.rules.orders import ledger, ordering, prices, refusals
from services.portal.rules.orders.ledger import LedgerLine
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.ordering import Cause, Order, OrderWish
from services.portal.store.clients import Tenant


@dataclass(frozen=True)
class OrderInFull:
    """An order, whose client it is, and what is due by it this month and the next.

    is_new: it was placed right now. quote: what a preview is known by.
    """

    tenant: Tenant
    order: Order
    lines: tuple[LedgerLine, ...]
    is_new: bool = True

    @property
    def quote(self) -> str:
        """What this preview is known by."""
        return ledger.quote(self.order, self.lines)


@dataclass(frozen=True)
class ClientOrders:
    """A client's contract and all orders for it, the newest first.

    pending: the ids of those that have not taken effect; sizes: what is offered next.
    """

    tenant: Tenant
    orders: tuple[OrderInFull, ...]
    pending: frozenset[UUID]
    sizes: tuple[prices.Step, ...]
    currency: str
    users: int
    stored_bytes: int
    may_order: bool


async def preview(pool: Pool, actor: Actor, tenant_id: UUID, wish: OrderWish) -> OrderInFull:
    """What an order would change and cost; nothing is ordered. Raises as `place`."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        _, shown = await draw_up(conn, tenant, actor, wish)
        await log.note(conn, actor, acts.OrderPreviewed(wish.what, wish.after), tenant_id)
    return shown


async def place(
    pool: Pool, actor: Actor, tenant_id: UUID, wish: OrderWish, key: str
) -> OrderInFull:
    """Orders once: a repetition with the same key gets the order that was placed.

    Raises NotFound, ByProviderOnly, OrderRefused, OrderUnchanged, BelowHeld, NoPrice,
    SizeNotOffered, QuoteChanged, KeyReused.
    """
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if (known := await store.orders.placed.find_by_key(conn, tenant_id, key)) is not None:
            return await _show_again(conn, tenant, known, wish)
        orders, shown = await draw_up(conn, tenant, actor, wish)
        if wish.quote and wish.quote != shown.quote:
            raise refusals.QuoteChanged
        return await _book(conn, actor, orders, shown, key)


async def revise(
    pool: Pool, operator: Actor, tenant_id: UUID, reason: str, clause: str
) -> OrderInFull:
    """Orders the next size in the provider's name, where a client stays above its contract.

    The first size offered that holds what is stored. Raises NothingToRevise, and as `place`.
    """
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        stored = await effects.find_held(conn, tenant_id, "storage")
        if stored <= tenant.contracted_bytes:
            raise refusals.NothingToRevise
        month = Month.of(clock.now(), find_zone(tenant.timezone))
        one = prices.find_list(await contracts.find_lists(conn), month)
        wish = OrderWish("storage", one.find_size_for(stored), reason, clause)
        orders, shown = await draw_up(conn, tenant, operator, wish, "revised")
        return await _book(conn, operator, orders, shown, f"revised {uuid4()}")


async def list_orders(pool: Pool, actor: Actor, tenant_id: UUID) -> ClientOrders:
    """All orders of a client; raises NotFound."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        orders = await store.orders.placed.list_of_tenant(conn, tenant_id)
        zone = find_zone(tenant.timezone)
        lists, month = await contracts.find_lists(conn), Month.of(clock.now(), zone)
        price = prices.find_list(lists, month)
        listed = ClientOrders(
            tenant=tenant,
            orders=tuple(
                OrderInFull(tenant, one, tuple(ledger.preview(orders, one, zone)))
                for one in reversed(orders)
            ),
            pending=await store.orders.placed.list_pending_ids(conn, tenant_id),
            sizes=price.list_next_sizes(tenant.contracted_bytes),
            currency=price.currency,
            users=await effects.find_held(conn, tenant_id, "seats"),
            stored_bytes=await effects.find_held(conn, tenant_id, "storage"),
            may_order=await _may_order(conn, actor, tenant_id),
        )
        await log.note(conn, actor, acts.OrdersListed(), tenant_id)
    return listed


async def allow_orders(pool: Pool, operator: Actor, tenant_id: UUID, *, allowed: bool) -> None:
    """Lets a client's administrators order themselves, or not; raises NotFound."""
    async with transaction(pool) as conn:
        await telling.lock_tenant(conn, tenant_id)
        await store.orders.placed.set_may_order(conn, tenant_id, allowed=allowed)
        await log.note(conn, operator, acts.OrdersAllowed(allowed), tenant_id)


async def draw_up(
    conn: Connection, tenant: Tenant, actor: Actor, wish: OrderWish, cause: Cause = "ordered"
) -> tuple[list[Order], OrderInFull]:
    """The orders of a client, and what a wish comes to as the next one; under the lock.

    Raises what `place` raises of the present state. The clock is read here, under the lock, so
    that no order is older than one that was placed before it."""
    if not await _may_order(conn, actor, tenant.tenant_id):
        raise refusals.ByProviderOnly
    orders = await store.orders.placed.list_of_tenant(conn, tenant.tenant_id)
    before = tenant.contracted_bytes if wish.what == "storage" else tenant.seats
    target = ordering.find_target(orders, wish.what)
    ordering.check_wish(
        wish,
        target=target.after if target else before,
        held=await effects.find_held(conn, tenant.tenant_id, wish.what),
        state=tenant.subscription,
        reason=tenant.subscription_reason,
    )
    zone = find_zone(tenant.timezone)
    order = ordering.make_order(
        orders,
        await contracts.find_lists(conn),
        wish,
        before=before,
        cause=cause,
        by=actor.name,
        now=clock.now(),
        zone=zone,
    )
    return orders, OrderInFull(tenant, order, tuple(ledger.preview(orders, order, zone)))


async def _book(
    conn: Connection, actor: Actor, orders: list[Order], shown: OrderInFull, key: str
) -> OrderInFull:
    order, tenant = shown.order, shown.tenant
    await store.orders.placed.add(conn, tenant.tenant_id, order, key)
    if order.effective_at == order.ordered_at:
        tenant = await effects.take_effect(conn, tenant, order, order.ordered_at)
    else:
        await store.orders.placed.put_pending(conn, tenant.tenant_id, order)
    await effects.publish(conn, tenant, [*orders, order], order)
    act = acts.OrderPlaced(order.what, order.before, order.after, order.reason)
    await log.note(conn, actor, act, tenant.tenant_id)
    return replace(shown, tenant=tenant)


async def _show_again(
    conn: Connection, tenant: Tenant, order_id: UUID, wish: OrderWish
) -> OrderInFull:
    orders = await store.orders.placed.list_of_tenant(conn, tenant.tenant_id)
    [order] = [one for one in orders if one.order_id == order_id]
    if (order.what, order.after) != (wish.what, wish.after):
        raise refusals.KeyReused
    lines = ledger.preview(orders, order, find_zone(tenant.timezone))
    return OrderInFull(tenant, order, tuple(lines), is_new=False)


async def _may_order(conn: Connection, actor: Actor, tenant_id: UUID) -> bool:
    """Operators always; a client's administrators unless an operator keeps them from it."""
    is_operator = actor.tenant_id == NOBODY
    return is_operator or await store.orders.placed.may_order(conn, tenant_id)
