"""What is due: a month's lines as they follow from the orders, and what closing it adds.

A month of storage or seats costs what the order says that stands at the month's end: more counts
for the whole month, less begins with the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.portal.rules.orders import prices
from services.portal.rules.orders.months import Month, list_months
from services.portal.rules.orders.ordering import WHATS, Order, find_standing

Rule = Literal["storage-month", "seats-month", "seats-entry"]


class Due(NamedTuple):
    """What a line is for: which month, by which order and which rule."""

    about: Month
    order_id: UUID
    rule: Rule


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line of a month's ledger, before tax.

    quantity: bytes or seats. A line about an earlier month corrects what was closed.
    """

    month: Month
    about: Month
    order_id: UUID
    rule: Rule
    quantity: int
    amount: Decimal
    currency: str
    vat_percent: Decimal

    @property
    def due(self) -> Due:
        """What it is for."""
        return Due(self.about, self.order_id, self.rule)


def bill(orders: Sequence[Order], month: Month, zone: ZoneInfo) -> list[LedgerLine]:
    """What is due for a month, from the orders alone."""
    begins_at, ends_at = month.begins_at(zone), month.next.begins_at(zone)
    lines = []
    for what in WHATS:
        standing = find_standing(orders, what, ends_at)
        if standing is not None and standing.monthly:
            rule: Rule = "storage-month" if what == "storage" else "seats-month"
            lines.append(_line(standing, month, rule, standing.after, standing.monthly))
    for one in orders:
        if one.entry and begins_at <= one.effective_at < ends_at:
            more = one.after - one.before
            lines.append(_line(one, month, "seats-entry", more, one.entry))
    return lines


def _line(order: Order, month: Month, rule: Rule, quantity: int, amount: Decimal) -> LedgerLine:
    return LedgerLine(
        month, month, order.order_id, rule, quantity, amount, order.currency, order.vat_percent
    )


def close(
    orders: Sequence[Order],
    booked: Mapping[Due, Decimal],
    closed: Month | None,
    month: Month,
    zone: ZoneInfo,
) -> list[LedgerLine]:
    """The lines that closing a client's months up to `month` adds to its ledger.

    booked: what the ledger has, summed up; closed: the last month that was closed. What the orders
    say of closed months by now, and the ledger doesn't, is corrected in the first month that is
    closed now.
    """
    first = Month.of(min(one.effective_at for one in orders), zone)
    opening = find_first(orders, closed, zone)
    if month < opening:
        return []
    lines = []
    if closed is not None:
        lines = _correct(orders, booked, list_months(first, closed), opening, zone)
    for one in list_months(max(first, opening), month):
        lines += bill(orders, one, zone)
    return lines


def find_first(orders: Sequence[Order], closed: Month | None, zone: ZoneInfo) -> Month:
    """The first month that is open."""
    if closed is not None:
        return closed.next
    return Month.of(min(one.effective_at for one in orders), zone)


def _correct(
    orders: Sequence[Order],
    booked: Mapping[Due, Decimal],
    months: Iterable[Month],
    into: Month,
    zone: ZoneInfo,
) -> list[LedgerLine]:
    """What is missing or too much of closed months, as lines of another."""
    expected = {line.due: line for month in months for line in bill(orders, month, zone)}
    known = {one.order_id: one for one in orders}
    lines = []
    for due in sorted({*expected, *booked}):
        line = expected.get(due)
        missing = (line.amount if line else Decimal(0)) - booked.get(due, Decimal(0))
        if missing:
            order = known[due.order_id]
            entry = order.after - order.before
            quantity = entry if due.rule == "seats-entry" else order.after
            lines.append(
                LedgerLine(into, *due, quantity, missing, order.currency, order.vat_percent)
            )
    return lines


def preview(orders: Sequence[Order], order: Order, zone: ZoneInfo) -> list[LedgerLine]:
    """What is due by an order for the month in which it was given and for the next one.

    orders: all of the client; later ones don't count."""
    until = [one for one in orders if one.number < order.number] + [order]
    month = Month.of(order.ordered_at, zone)
    rule = "storage-month" if order.what == "storage" else "seats-month"
    return [
        line
        for one in (month, month.next)
        for line in bill(until, one, zone)
        if line.rule == rule or line.order_id == order.order_id
    ]


def quote(order: Order, lines: Iterable[LedgerLine]) -> str:
    """A short text that is another one as soon as what a preview says is."""
    said = [f"{order.what} {order.before} {order.after}"]
    said += [f"{one.about} {one.rule} {one.amount} {one.currency}" for one in lines]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Total:
    """What lines of one currency and rate come to; tax is rounded once, on their sum."""

    currency: str
    vat_percent: Decimal
    net: Decimal
    vat: Decimal

    @property
    def gross(self) -> Decimal:
        """With tax."""
        return self.net + self.vat


def sum_up(lines: Iterable[LedgerLine]) -> list[Total]:
    """The totals of lines by currency and rate of tax."""
    sums: dict[tuple[str, Decimal], Decimal] = {}
    for one in lines:
        kind = one.currency, one.vat_percent
        sums[kind] = sums.get(kind, Decimal("0.00")) + one.amount
    return [
        Total(currency, rate, net, prices.round_money(net * rate / 100))
        for (currency, rate), net in sorted(sums.items())
    ]
