"""What operators order for clients, what it costs, and what is due."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.portal.actions.orders import billing, ordering, prices
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import Line
from services.portal.api.orders import exports
from services.portal.api.orders.requests import (
    Key,
    OrderList,
    OrderPreview,
    OrderRequest,
    OrderShown,
    show_order,
    show_orders,
    show_preview,
)
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.prices import PriceList, from_json
from services.portal.store.orders.prices import Put

router = APIRouter(tags=["operators"], route_class=OperatorFirst)

Money = Annotated[str, Field(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$")]
"""A decimal as text: a JSON number would be rounded on the way."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepRequest(_Body):
    """A size of storage, and its price a month."""

    storage_bytes: Annotated[int, Field(ge=1, le=2**60)]
    monthly: Money


class StorageRequest(_Body):
    """What storage costs a month: by steps, or for each 100 GB that was begun."""

    steps: Annotated[list[StepRequest], Field(min_length=1, max_length=100)] | None = None
    per_100_gb: Money | None = None


class PriceListRequest(_Body):
    """Prices before tax from a month to another, the latter too."""

    first: Annotated[str, Field(alias="from", pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    until: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    vat_percent: Money
    seat_entry: Money
    seat_monthly: Money
    storage: StorageRequest

    def read(self) -> PriceList:
        """The list that it says."""
        return from_json(
            self.model_dump(by_alias=True, exclude={"storage"})
            | {"storage": self.storage.model_dump(exclude_none=True)}
        )


class PricesRequest(_Body):
    """All price lists, in their order; version: what they replace."""

    version: int | None = None
    lists: Annotated[list[PriceListRequest], Field(max_length=50)]


class PricesShown(BaseModel):
    """The price lists that count, and who put them."""

    version: int
    put_at: datetime
    put_by: str
    lists: list[PriceListRequest]


class MonthClosed(BaseModel):
    """What closing a month did: clients closed now, and before; not_over: whose month goes on."""

    month: str
    closed: int
    lines: int
    closed_before: int
    not_over: int


class ReviseRequest(_Body):
    """Why the provider orders more in its own name, and by which clause of the contract."""

    reason: Line
    clause: Line


class OrdersRequest(_Body):
    """Whether a client's administrators may order."""

    allowed: bool


@router.get("/tenants/{tenant_id}/orders")
async def list_orders(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> OrderList:
    """A client's contract, what was ordered, and the next sizes with their prices."""
    return show_orders(await ordering.list_orders(resources.pool, operator, tenant_id))


@router.post("/tenants/{tenant_id}/orders/preview")
async def preview_order(
    tenant_id: UUID, body: OrderRequest, operator: Operator, resources: ResourcesOf
) -> OrderPreview:
    """What an order would cost; nothing is ordered."""
    shown = await ordering.preview(resources.pool, operator, tenant_id, body.wish)
    return show_preview(shown)


@router.post("/tenants/{tenant_id}/orders", status_code=201)
async def place_order(
    tenant_id: UUID,
    body: OrderRequest,
    key: Key,
    operator: Operator,
    resources: ResourcesOf,
    response: Response,
) -> OrderShown:
    """Orders for a client, once a key; 200 where it was ordered before."""
    shown = await ordering.place(resources.pool, operator, tenant_id, body.wish, key)
    response.status_code = 201 if shown.is_new else 200
    return show_order(shown)


@router.put("/tenants/{tenant_id}/orders/allowed", status_code=204)
async def allow_orders(
    tenant_id: UUID, body: OrdersRequest, operator: Operator, resources: ResourcesOf
) -> Response:
    """Lets a client's administrators order themselves, or not."""
    await ordering.allow_orders(resources.pool, operator, tenant_id, allowed=body.allowed)
    return Response(status_code=204)


@router.post("/tenants/{tenant_id}/quota/revise", status_code=201)
async def revise(
    tenant_id: UUID, body: ReviseRequest, operator: Operator, resources: ResourcesOf
) -> OrderShown:
    """Raises a contract to the next size that holds what is stored, in the provider's name."""
    shown = await ordering.revise(resources.pool, operator, tenant_id, body.reason, body.clause)
    return show_order(shown)


@router.get("/prices", response_model_exclude_unset=True)
async def view_prices(operator: Operator, resources: ResourcesOf) -> PricesShown:
    """The price lists that count."""
    return _put(await prices.view_prices(resources.pool, operator))


@router.put("/prices", response_model_exclude_unset=True)
async def put_prices(
    body: PricesRequest, operator: Operator, resources: ResourcesOf
) -> PricesShown:
    """Replaces the price lists; what was ordered keeps its price."""
    lists = [one.read() for one in body.lists]
    return _put(await prices.put_prices(resources.pool, operator, lists, body.version))


@router.post("/billing/{month}/close")
async def close_month(month: str, operator: Operator, resources: ResourcesOf) -> MonthClosed:
    """Closes a month that is over, of every client; once more it changes nothing."""
    done = await billing.close_month(resources.pool, operator, Month.read(month))
    return MonthClosed(
        month=month,
        closed=done.closed,
        lines=done.lines,
        closed_before=done.known,
        not_over=done.waiting,
    )


@router.get("/billing/{month}", responses={200: {"model": exports.MonthShown}})
async def export_month(
    month: str,
    operator: Operator,
    resources: ResourcesOf,
    form: Annotated[Literal["json", "csv", "csv-fr"], Query(alias="format")] = "json",
    tenant: UUID | None = None,
) -> Response:
    """What is due for a month, of every client or one; `closed` says whether it is final."""
    bills = await billing.export(resources.pool, operator, Month.read(month), tenant)
    return exports.answer(month, bills, form)


def _put(put: Put) -> PricesShown:
    lists = [PriceListRequest.model_validate(one) for one in put.lists]
    return PricesShown(version=put.version, put_at=put.put_at, put_by=put.put_by, lists=lists)
