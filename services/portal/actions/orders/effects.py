"""Orders take effect: what a client has changes, and everybody is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.shared import clock, outbox
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import OrderConfirmed, OrderLine, What
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import telling
from services.portal.actions.orders import offers
from services.portal.rules.log import acts
from services.portal.rules.log.chain import COFFRE
from services.portal.rules.orders import ledger, ordering
from services.portal.rules.orders.ledger import LedgerLine
from services.portal.rules.orders.ordering import Order
from services.portal.store.clients import Tenant


async def take_effect(conn: Connection, tenant: Tenant, order: Order, now: datetime) -> Tenant:
    """Gives a client what was ordered, within a transaction that has its lock."""
    await store.orders.placed.drop_pending(conn, tenant.tenant_id, [order.what])
    if order.what == "storage":
        after = replace(tenant, contracted_bytes=order.after)
    else:
        after = replace(tenant, seats=order.after)
    if after == tenant:
        return tenant
    version = await store.orders.placed.set_contract(
        conn, tenant.tenant_id, after.contracted_bytes, after.seats
    )
    after = replace(after, version=version)
    await telling.publish_tenant(conn, after)
    await offers.tell(conn, after, now)
    return after


async def take_due_effects(pool: Pool) -> int:
    """Gives clients less where the month for which it was ordered has begun; returns how often."""
    now = clock.now()
    async with transaction(pool) as conn:
        due = await store.orders.placed.list_due_tenants(conn, now)
    count = 0
    for tenant_id in due:
        async with transaction(pool) as conn:
            count += await _take_due_effects(conn, tenant_id, now)
    return count


async def _take_due_effects(conn: Connection, tenant_id: UUID, now: datetime) -> int:
    """Those of one client, which may have ordered otherwise meanwhile."""
    tenant = await telling.lock_tenant(conn, tenant_id)
    due = await store.orders.placed.list_pending(conn, tenant_id, now)
    orders = await store.orders.placed.list_of_tenant(conn, tenant_id)
    for order in (one for one in orders if one.order_id in due):
        if order.after < await find_held(conn, tenant_id, order.what):
            await _keep(conn, tenant, orders, order)
        else:
            tenant = await take_effect(conn, tenant, order, now)
            act = acts.OrderTookEffect(order.what, order.before, order.after)
            await log.note(conn, COFFRE, act, tenant_id)
    return len(due)


async def _keep(conn: Connection, tenant: Tenant, orders: list[Order], due: Order) -> None:
    """Leaves a client what it has, as more is in use than was ordered."""
    standing = ordering.find_standing(orders, due.what, due.effective_at)
    if standing is None:
        raise RuntimeError(f"order {due.order_id} has none before it")
    number = max(one.number for one in orders) + 1
    kept = ordering.keep(standing, number, COFFRE.name, due.effective_at)
    await store.orders.placed.add(conn, tenant.tenant_id, kept)
    await store.orders.placed.drop_pending(conn, tenant.tenant_id, [due.what])
    orders.append(kept)
    await publish(conn, tenant, orders, kept)
    act = acts.OrderKept(due.what, due.after, kept.after)
    await log.note(conn, COFFRE, act, tenant.tenant_id)


async def find_held(conn: Connection, tenant_id: UUID, what: What) -> int:
    """How much a client uses: bytes that are stored, or people with an account."""
    if what == "seats":
        return len(await store.people.list_of_tenant(conn, tenant_id))
    return (await store.runs.shown.find_volume(conn, tenant_id)).stored_bytes


async def publish(conn: Connection, tenant: Tenant, orders: list[Order], order: Order) -> None:
    """Has the administrators mailed what was ordered, and what it costs."""
    lines = ledger.preview(orders, order, find_zone(tenant.timezone))
    await outbox.add(
        conn,
        OrderConfirmed(
            tenant_id=tenant.tenant_id,
            order_id=order.order_id,
            what=order.what,
            before=order.before,
            after=order.after,
            ordered_at=order.ordered_at,
            effective_at=order.effective_at,
            lines=tuple(say_line(line) for line in lines),
            monthly=order.monthly,
            currency=order.currency,
            by=order.by,
            in_provider_name=order.cause == "revised",
            reason=order.reason,
            clause=order.clause,
            is_kept=order.cause == "kept",
        ),
    )


def say_line(line: LedgerLine) -> OrderLine:
    """A line as others read it."""
    return OrderLine(
        rule=line.rule,
        month=str(line.about),
        quantity=line.quantity,
        amount=line.amount,
        currency=line.currency,
        vat_percent=line.vat_percent,
    )
