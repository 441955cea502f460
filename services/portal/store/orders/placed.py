"""Orders, and which of them have not taken effect yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import What
from services.portal.rules.orders.ordering import Order

_COLUMNS = """order_id, number, what, before, after, cause, ordered_at, effective_at, "by",
    reason, clause, unit_price, entry_fee, currency, vat_percent"""


async def add(conn: Connection, tenant_id: UUID, order: Order, key: str | None = None) -> None:
    """Writes an order; `key`: of whoever must not order twice."""
    await conn.execute(
        f"""
        INSERT INTO orders (tenant_id, key, {_COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """,
        tenant_id,
        key,
        *astuple(order),
    )


async def list_of_tenant(conn: Connection, tenant_id: UUID) -> list[Order]:
    """A client's orders, the first one first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM orders WHERE tenant_id = $1 ORDER BY number
        """,
        tenant_id,
    )
    return [Order(**row) for row in rows]


async def list_of_tenants(conn: Connection, tenant_ids: Sequence[UUID]) -> dict[UUID, list[Order]]:
    """The orders of several clients, the first one first."""
    rows = await conn.fetch(
        f"""
        SELECT tenant_id, {_COLUMNS} FROM orders
        WHERE tenant_id = ANY ($1::uuid[]) ORDER BY tenant_id, number
        """,
        tenant_ids,
    )
    found: dict[UUID, list[Order]] = {tenant_id: [] for tenant_id in tenant_ids}
    for tenant_id, *columns in rows:
        found[tenant_id].append(Order(*columns))
    return found


async def find_by_key(conn: Connection, tenant_id: UUID, key: str) -> UUID | None:
    """The order that came with a key."""
    order_id: UUID | None = await conn.fetchval(
        """
        SELECT order_id FROM orders WHERE tenant_id = $1 AND key = $2
        """,
        tenant_id,
        key,
    )
    return order_id


async def put_pending(conn: Connection, tenant_id: UUID, order: Order) -> None:
    """Notes that an order will take effect; an older one of its kind no longer does."""
    await conn.execute(
        """
        INSERT INTO orders_pending (tenant_id, what, order_id, effective_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, what) DO UPDATE SET order_id = $3, effective_at = $4
        """,
        tenant_id,
        order.what,
        order.order_id,
        order.effective_at,
    )


async def drop_pending(conn: Connection, tenant_id: UUID, whats: Sequence[What]) -> None:
    """Notes that nothing of these kinds is to take effect any more."""
    await conn.execute(
        """
        DELETE FROM orders_pending WHERE tenant_id = $1 AND what = ANY ($2::text[])
        """,
        tenant_id,
        whats,
    )


async def list_pending(conn: Connection, tenant_id: UUID, now: datetime) -> list[UUID]:
    """A client's orders whose moment has come."""
    rows = await conn.fetch(
        """
        SELECT order_id FROM orders_pending WHERE tenant_id = $1 AND effective_at <= $2
        """,
        tenant_id,
        now,
    )
    return [row["order_id"] for row in rows]


async def list_pending_ids(conn: Connection, tenant_id: UUID) -> frozenset[UUID]:
    """A client's orders that have not taken effect yet."""
    rows = await conn.fetch(
        """
        SELECT order_id FROM orders_pending WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return frozenset(row["order_id"] for row in rows)


async def list_due_tenants(conn: Connection, now: datetime) -> list[UUID]:
    """Clients of whom an order is to take effect now."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT tenant_id FROM orders_pending WHERE effective_at <= $1
        """,
        now,
    )
    return [row["tenant_id"] for row in rows]


async def set_contract(conn: Connection, tenant_id: UUID, contracted_bytes: int, seats: int) -> int:
    """Sets what a client has; returns the new version of what the others are told."""
    version: int = await conn.fetchval(
        """
        UPDATE tenants SET contracted_bytes = $2, seats = $3, version = version + 1
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        contracted_bytes,
        seats,
    )
    return version


async def may_order(conn: Connection, tenant_id: UUID) -> bool:
    """Whether a client's administrators may order."""
    return bool(
        await conn.fetchval(
            """
            SELECT orders_itself FROM tenants WHERE tenant_id = $1
            """,
            tenant_id,
        )
    )


async def set_may_order(conn: Connection, tenant_id: UUID, *, allowed: bool) -> None:
    """Lets a client's administrators order, or not."""
    await conn.execute(
        """
        UPDATE tenants SET orders_itself = $2 WHERE tenant_id = $1
        """,
        tenant_id,
        allowed,
    )
