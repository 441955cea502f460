"""Acts with orders, prices and bills."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class OrdersListed(Act):
    """A client's contract and its orders."""

    code = "orders-listed"


@dataclass(frozen=True)
class OrderPreviewed(Act):
    """What an order would cost."""

    code = "order-previewed"
    what: str
    after: int


@dataclass(frozen=True)
class _Ordered(Act):
    """A change of what a client has, in bytes or seats."""

    what: str
    before: int
    after: int


@dataclass(frozen=True)
class OrderPlaced(_Ordered):
    """More or less was ordered; `reason`: where the provider did so by itself."""

    code = "order-placed"
    reason: str


@dataclass(frozen=True)
class OrderTookEffect(_Ordered):
    """The month began for which less was ordered."""

    code = "order-took-effect"


@dataclass(frozen=True)
class OrderKept(Act):
    """Less was ordered, and could not take effect: all stays as it was."""

    code = "order-kept"
    what: str
    ordered: int
    kept: int


@dataclass(frozen=True)
class OrdersAllowed(Act):
    """An operator lets a client's administrators order, or keeps them from it."""

    code = "orders-allowed"
    allowed: bool


@dataclass(frozen=True)
class PricesViewed(Act):
    """The price lists."""

    code = "prices-viewed"


@dataclass(frozen=True)
class PricesPut(Act):
    """The price lists were replaced."""

    code = "prices-put"
    version: int
    lists: int


@dataclass(frozen=True)
class MonthClosed(Act):
    """A month of all clients was closed: of how many, with how many lines."""

    code = "month-closed"
    month: str
    clients: int
    lines: int


@dataclass(frozen=True)
class BillingViewed(Act):
    """What is due for a month, of all clients."""

    code = "billing-viewed"
    month: str


@dataclass(frozen=True)
class BillingExported(Act):
    """What is due for a month, of one client or of all, was taken along."""

    code = "billing-exported"
    month: str
