"""The ledger of what is due, and which months of it are closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from libs.shared.database import Connection
from services.portal.rules.orders.ledger import Due, LedgerLine
from services.portal.rules.orders.months import Month

_LOCK = 0x436F6666726502  # any number that only we use: "Coffre", 2


@dataclass(frozen=True)
class Payer:
    """A client as far as bills go; closed: the last month that was closed, if any."""

    tenant_id: UUID
    name: str
    timezone: str
    closed: Month | None


async def lock(conn: Connection) -> None:
    """Lets nobody else close months until the transaction ends."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock($1)
        """,
        _LOCK,
    )


async def list_ids(conn: Connection) -> list[UUID]:
    """Every client that ever had a contract."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM tenants ORDER BY lower(name), tenant_id
        """
    )
    return [row["tenant_id"] for row in rows]


async def list_payers(conn: Connection, tenant_ids: Sequence[UUID]) -> list[Payer]:
    """These clients, by name."""
    rows = await conn.fetch(
        """
        SELECT t.tenant_id, t.name, t.timezone, max(c.month) AS closed
        FROM tenants t LEFT JOIN closed_months c USING (tenant_id)
        WHERE t.tenant_id = ANY ($1::uuid[])
        GROUP BY t.tenant_id ORDER BY lower(t.name), t.tenant_id
        """,
        tenant_ids,
    )
    return [
        Payer(
            row["tenant_id"],
            row["name"],
            row["timezone"],
            Month.read(row["closed"]) if row["closed"] else None,
        )
        for row in rows
    ]


async def sum_booked(
    conn: Connection, tenant_ids: Sequence[UUID]
) -> dict[UUID, dict[Due, Decimal]]:
    """What the ledger has for each month, order and rule of these clients."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, about, order_id, rule, sum(amount) FROM ledger
        WHERE tenant_id = ANY ($1::uuid[]) GROUP BY tenant_id, about, order_id, rule
        """,
        tenant_ids,
    )
    found: dict[UUID, dict[Due, Decimal]] = {tenant_id: {} for tenant_id in tenant_ids}
    for tenant_id, about, order_id, rule, amount in rows:
        found[tenant_id][Due(Month.read(about), order_id, rule)] = amount
    return found


async def add(conn: Connection, lines: Iterable[tuple[UUID, LedgerLine]]) -> None:
    """Writes lines of clients."""
    await conn.copy_records_to_table(
        "ledger",
        schema_name="portal",
        columns=[
            "tenant_id", "month", "about", "order_id", "rule", "quantity", "amount", "currency",
            "vat_percent",
        ],
        records=[
            (
                tenant_id, str(one.month), str(one.about), one.order_id, one.rule, one.quantity,
                one.amount, one.currency, one.vat_percent,
            )
            for tenant_id, one in lines
        ],
    )  # fmt: skip


async def add_closed(
    conn: Connection, closed: Iterable[tuple[UUID, Month]], now: datetime, by: str
) -> None:
    """Notes which months of clients were closed."""
    await conn.copy_records_to_table(
        "closed_months",
        schema_name="portal",
        columns=["tenant_id", "month", "closed_at", "closed_by"],
        records=[(tenant_id, str(month), now, by) for tenant_id, month in closed],
    )


async def list_lines(
    conn: Connection, tenant_ids: Sequence[UUID], month: Month
) -> dict[UUID, list[LedgerLine]]:
    """The lines of these clients in the ledger of one month."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, month, about, order_id, rule, quantity, amount, currency, vat_percent
        FROM ledger WHERE tenant_id = ANY ($1::uuid[]) AND month = $2
        ORDER BY tenant_id, about, rule DESC, order_id
        """,
        tenant_ids,
        str(month),
    )
    found: dict[UUID, list[LedgerLine]] = {tenant_id: [] for tenant_id in tenant_ids}
    for tenant_id, written, about, *columns in rows:
        found[tenant_id].append(LedgerLine(Month.read(written), Month.read(about), *columns))
    return found
