"""Orders: when they take effect, at what price, and which are refused.

An order carries its price, so that what is due follows from the orders alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from libs.shared.events import SubscriptionState, What
from services.portal.rules.orders import prices
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.prices import PriceList
from services.portal.rules.orders.refusals import BelowHeld, OrderRefused, OrderUnchanged

Cause = Literal["opened", "ordered", "revised", "kept", "ended", "reinstated"]
"""Why an order was written: the contract began; somebody ordered; the provider did so in its own
name; less could not take effect; the subscription ended, or its end was taken back."""

WHATS: tuple[What, ...] = ("storage", "seats")


@dataclass(frozen=True, slots=True)
class Order:
    """One change of what a client has: `after` bytes or seats instead of `before`.

    number: in the client's row of orders. unit_price: a month, of the storage as a whole or of one
    seat; entry_fee: once, of one seat more.
    """

    order_id: UUID
    number: int
    what: What
    before: int
    after: int
    cause: Cause
    ordered_at: datetime
    effective_at: datetime
    by: str
    reason: str
    clause: str
    unit_price: Decimal
    entry_fee: Decimal
    currency: str
    vat_percent: Decimal

    @property
    def monthly(self) -> Decimal:
        """What is due for a whole month."""
        if self.after == 0:
            return Decimal("0.00")
        return prices.round_money(self.unit_price * (self.after if self.what == "seats" else 1))

    @property
    def entry(self) -> Decimal:
        """What is due once."""
        return prices.round_money(self.entry_fee * max(self.after - self.before, 0))


@dataclass(frozen=True, slots=True)
class OrderWish:
    """What somebody wants, and in whose name.

    quote: that of the preview they saw, "" where they saw none; clause: of the contract, by which
    the provider orders in its own name.
    """

    what: What
    after: int
    reason: str = ""
    clause: str = ""
    quote: str = ""


def find_standing(orders: Iterable[Order], what: What, before: datetime) -> Order | None:
    """The order that counts until a moment: the newest that has taken effect by then.

    One that is to take effect later gives way to a newer one."""
    found = [one for one in orders if one.what == what and one.effective_at < before]
    return max(found, key=lambda one: one.number, default=None)


def find_target(orders: Iterable[Order], what: What) -> Order | None:
    """The newest order of a kind, whether it has taken effect or not."""
    return max((one for one in orders if one.what == what), key=lambda o: o.number, default=None)


def make_order(
    orders: Sequence[Order],
    lists: Sequence[PriceList],
    wish: OrderWish,
    *,
    before: int,
    cause: Cause,
    by: str,
    now: datetime,
    zone: ZoneInfo,
) -> Order:
    """The order that a wish comes to: more takes effect now, less when the next month begins.

    before: what the client has now. Raises NoPrice, SizeNotOffered.
    """
    month = Month.of(now, zone)
    is_less = wish.after < before
    effective_at = month.next.begins_at(zone) if is_less else now
    price = prices.find_list(lists, month.next if is_less else month)
    is_storage = wish.what == "storage"
    return Order(
        order_id=uuid4(),
        number=len(orders) + 1,
        what=wish.what,
        before=before,
        after=wish.after,
        cause=cause,
        ordered_at=now,
        effective_at=effective_at,
        by=by,
        reason=wish.reason,
        clause=wish.clause,
        unit_price=price.price_storage(wish.after) if is_storage else price.seat_monthly,
        entry_fee=Decimal(0) if is_storage else price.seat_entry,
        currency=price.currency,
        vat_percent=price.vat_percent,
    )


def check_wish(
    wish: OrderWish,
    *,
    target: int,
    held: int,
    state: SubscriptionState,
    reason: str,
) -> None:
    """Raises OrderRefused, OrderUnchanged or BelowHeld unless a wish can be an order.

    target: what the client has, or will have once what is ordered has taken effect; held: bytes
    stored, or people with an account.
    """
    if state not in ("active", "ending"):
        raise OrderRefused(state, reason)
    if wish.after == target:
        raise OrderUnchanged(wish.what)
    if wish.after < target and wish.after < held:
        raise BelowHeld(wish.what, held)


def end_orders(orders: Sequence[Order], by: str, now: datetime, zone: ZoneInfo) -> list[Order]:
    """What closes the contract of a subscription that ends: the month is due to its end."""
    effective_at = Month.of(now, zone).next.begins_at(zone)
    standing = (find_standing(orders, what, now) for what in WHATS)
    return [
        replace(
            one,
            order_id=uuid4(),
            number=len(orders) + more,
            before=one.after,
            after=0,
            cause="ended",
            ordered_at=now,
            effective_at=effective_at,
            by=by,
            reason="",
            clause="",
        )
        for more, one in enumerate(filter(None, standing), 1)
    ]


def reopen_orders(orders: Sequence[Order], by: str, now: datetime) -> list[Order]:
    """What takes the end of a contract back: all as it was before it, at its price.

    A month that ended without a contract stays free; seats that come back cost no entry again."""
    found = []
    for what in WHATS:
        end = find_target(orders, what)
        if end is None or end.cause != "ended":
            continue
        if standing := find_standing(orders, what, end.ordered_at):
            found.append(standing)
    return [
        replace(keep(one, len(orders) + more, by, now), cause="reinstated", ordered_at=now)
        for more, one in enumerate(found, 1)
    ]


def keep(standing: Order, number: int, by: str, effective_at: datetime) -> Order:
    """The order by which all stays as the standing one says, from a moment on."""
    return replace(
        standing,
        order_id=uuid4(),
        number=number,
        before=standing.after,
        cause="kept",
        ordered_at=effective_at,
        effective_at=effective_at,
        by=by,
        reason="",
        clause="",
    )
