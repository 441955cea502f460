"""What both who order send."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.portal.actions.orders import saying
from services.portal.actions.orders.ordering import ClientOrders
from services.portal.rules.orders.ordering import OrderWish

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


def list_to_json(listed: ClientOrders) -> dict[str, Any]:
    """A client's contract and its orders."""
    tenant = listed.tenant
    return {
        "contracted_bytes": tenant.contracted_bytes,
        "stored_bytes": listed.stored_bytes,
        "seats": tenant.seats,
        "users": listed.users,
        "may_order": listed.may_order,
        "currency": listed.currency,
        "next_sizes": [
            {"storage_bytes": one.storage_bytes, "monthly": str(one.monthly)}
            for one in listed.sizes
        ],
        "orders": [
            {**saying.to_json(one), "pending": one.order.order_id in listed.pending}
            for one in listed.orders
        ],
    }
