"""Months are closed, and what is due is handed out.

Closing is an operator's act, never the clock's: before it a month shows what it would come to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, transaction
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions import log
from services.portal.actions.orders import effects
from services.portal.rules import operators
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders import ledger
from services.portal.rules.orders.ledger import LedgerLine
from services.portal.rules.orders.months import Month, list_months
from services.portal.store.orders.ledger import Payer

_AT_ONCE = 20
"""How many clients are closed in one transaction: others wait no longer than for those."""


class MonthNotOver(errors.Refusal):
    """A month is closed once it is over, by the clock of the contract's time zone."""

    code = "month-not-over"
    status = 409
    title = "This month is not over"

    def __init__(self, month: Month) -> None:
        super().__init__(month)
        self.month = month

    @property
    def detail(self) -> str:
        return f"{self.month} is not over for any client; until then it can only be looked at."


@dataclass(frozen=True)
class Closing:
    """What closing a month did: for how many clients, with how many lines.

    known: clients of whom it was closed already; waiting: clients in whose time zone the month is
    not over.
    """

    closed: int = 0
    lines: int = 0
    known: int = 0
    waiting: int = 0

    def __add__(self, other: Closing) -> Closing:
        return Closing(
            self.closed + other.closed,
            self.lines + other.lines,
            self.known + other.known,
            self.waiting + other.waiting,
        )


@dataclass(frozen=True)
class Bill:
    """What a client owes for a month; it may still change unless it is closed."""

    payer: Payer
    lines: tuple[LedgerLine, ...]
    is_closed: bool


async def close_month(pool: Pool, operator: Actor, month: Month) -> Closing:
    """Closes a month of every client, and the months before it that were left open.

    Once more, or twice at once, nothing is added. Raises MonthNotOver.
    """
    # It takes several transactions, and is noted in the last one.
    operators.check(operator.duty, acts.MonthClosed)
    await effects.take_due_effects(pool)
    done = Closing()
    async with transaction(pool) as conn:
        tenant_ids = await store.orders.ledger.list_ids(conn)
    for some in _batches(tenant_ids):
        async with transaction(pool) as conn:
            await store.orders.ledger.lock(conn)
            done += await _close(conn, operator, some, month)
    if done.waiting and not done.closed and not done.known:
        raise MonthNotOver(month)
    async with transaction(pool) as conn:
        await log.note(conn, operator, acts.MonthClosed(str(month), done.closed, done.lines))
    return done


async def _close(
    conn: Connection, operator: Actor, tenant_ids: Sequence[UUID], month: Month
) -> Closing:
    now = clock.now()
    payers = await store.orders.ledger.list_payers(conn, tenant_ids)
    over = [one for one in payers if month < Month.of(now, find_zone(one.timezone))]
    due = [one for one in over if one.closed is None or one.closed < month]
    ids = [one.tenant_id for one in due]
    orders = await store.orders.placed.list_of_tenants(conn, ids)
    booked = await store.orders.ledger.sum_booked(conn, ids)
    lines: list[tuple[UUID, LedgerLine]] = []
    closed: list[tuple[UUID, Month]] = []
    count = 0
    for one in due:
        zone, its = find_zone(one.timezone), orders[one.tenant_id]
        if not its or (first := ledger.find_first(its, one.closed, zone)) > month:
            continue
        found = ledger.close(its, booked[one.tenant_id], one.closed, month, zone)
        lines += [(one.tenant_id, line) for line in found]
        closed += [(one.tenant_id, each) for each in list_months(first, month)]
        count += 1
    await store.orders.ledger.add(conn, lines)
    await store.orders.ledger.add_closed(conn, closed, now, operator.name)
    return Closing(count, len(lines), len(over) - len(due), len(payers) - len(over))


async def view(pool: Pool, operator: Actor, month: Month) -> list[Bill]:
    """What every client owes for a month.

    Where the month isn't closed: what it would come to if it were closed now.
    """
    async with transaction(pool) as conn:
        tenant_ids = await store.orders.ledger.list_ids(conn)
        await log.note(conn, operator, acts.BillingViewed(str(month)))
    return [bill async for bill in _bill(pool, tenant_ids, month)]


async def export(
    pool: Pool, operator: Actor, month: Month, tenant_id: UUID | None = None
) -> list[Bill]:
    """What every client owes for a month, or one does, to be taken along; raises NotFound."""
    async with transaction(pool) as conn:
        tenant_ids = await store.orders.ledger.list_ids(conn)
        if tenant_id is not None:
            if tenant_id not in tenant_ids:
                raise errors.NotFound("client")
            tenant_ids = [tenant_id]
        await log.note(conn, operator, acts.BillingExported(str(month)), tenant_id)
    return [bill async for bill in _bill(pool, tenant_ids, month)]


async def _bill(pool: Pool, tenant_ids: Sequence[UUID], month: Month) -> AsyncIterator[Bill]:
    for some in _batches(tenant_ids):
        async with transaction(pool) as conn:
            orders = await store.orders.placed.list_of_tenants(conn, some)
            booked = await store.orders.ledger.sum_booked(conn, some)
            kept = await store.orders.ledger.list_lines(conn, some, month)
            payers = await store.orders.ledger.list_payers(conn, some)
        for payer in payers:
            its = payer.tenant_id
            is_closed = payer.closed is not None and month <= payer.closed
            lines = kept[its]
            if not is_closed:
                zone = find_zone(payer.timezone)
                expected = ledger.close(orders[its], booked[its], payer.closed, month, zone)
                lines = [line for line in expected if line.month == month]
            yield Bill(payer, tuple(lines), is_closed)


def _batches(tenant_ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [tenant_ids[n : n + _AT_ONCE] for n in range(0, len(tenant_ids), _AT_ONCE)]
