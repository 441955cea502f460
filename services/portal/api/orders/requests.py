"""What both who order send, and are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.shared.events import Locale, OrderLine, What
from services.portal.actions.orders import saying
from services.portal.actions.orders.ordering import ClientOrders, OrderInFull
from services.portal.rules.orders.ordering import Cause, OrderWish

Key = Annotated[
    str, Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[!-~]+$")
]
"""What is sent again with a key is ordered once."""


class OrderRequest(BaseModel):
    """How much storage, or how many seats, there shall be in all; quote: of the preview seen."""

    model_config = ConfigDict(extra="forbid")

    storage_bytes: Annotated[int, Field(ge=0, le=2**60)] | None = None
    seats: Annotated[int, Field(ge=1, le=100_000)] | None = None
    quote: Annotated[str, Field(max_length=64)] = ""

    @model_validator(mode="after")
    def check_one(self) -> OrderRequest:
        """An order is for one of the two."""
        if (self.storage_bytes is None) == (self.seats is None):
            raise ValueError("order storage_bytes or seats, one of them")
        return self

    @property
    def wish(self) -> OrderWish:
        """What it asks for."""
        if self.storage_bytes is not None:
            return OrderWish("storage", self.storage_bytes, quote=self.quote)
        return OrderWish("seats", self.seats or 0, quote=self.quote)


class OrderPriced(BaseModel):
    """What becomes how much, and what is due by it; sentences: the same in words, by language."""

    what: What
    before: int
    after: int
    ordered_at: datetime
    effective_at: datetime
    by: str
    in_provider_name: bool
    cause: Cause
    reason: str
    clause: str
    lines: list[OrderLine]
    monthly: str
    currency: str
    sentences: dict[Locale, str]


class OrderShown(OrderPriced):
    """An order."""

    order_id: UUID


class OrderPreview(OrderPriced):
    """An order that was not placed; quote: what holds its price."""

    quote: str


class OrderListed(OrderShown):
    """An order; pending: until it takes effect."""

    pending: bool


class SizeOffered(BaseModel):
    """A size of storage, and its price a month."""

    storage_bytes: int
    monthly: str


class OrderList(BaseModel):
    """A client's contract, what was ordered, and the next sizes."""

    contracted_bytes: int
    stored_bytes: int
    seats: int
    users: int
    may_order: bool
    currency: str
    next_sizes: list[SizeOffered]
    orders: list[OrderListed]


def show_order(shown: OrderInFull) -> OrderShown:
    """An order that was placed."""
    return OrderShown(**saying.to_json(shown))


def show_preview(shown: OrderInFull) -> OrderPreview:
    """An order that nobody placed."""
    return OrderPreview(**saying.preview_to_json(shown))


def show_orders(listed: ClientOrders) -> OrderList:
    """A client's contract and its orders."""
    tenant = listed.tenant
    return OrderList(
        contracted_bytes=tenant.contracted_bytes,
        stored_bytes=listed.stored_bytes,
        seats=tenant.seats,
        users=listed.users,
        may_order=listed.may_order,
        currency=listed.currency,
        next_sizes=[
            SizeOffered(storage_bytes=one.storage_bytes, monthly=str(one.monthly))
            for one in listed.sizes
        ],
        orders=[
            OrderListed(**saying.to_json(one), pending=one.order.order_id in listed.pending)
            for one in listed.orders
        ],
    )
