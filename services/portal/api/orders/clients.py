"""What a client's administrators order, by program."""

from __future__ import annotations

from fastapi import APIRouter, Response

from libs.shared import web
from services.portal.actions.orders import ordering
from services.portal.api.access import Administrator, ResourcesOf, admit_administrator
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

router = APIRouter(tags=["orders"], route_class=web.behind(admit_administrator))


@router.get("/orders")
async def list_orders(administrator: Administrator, resources: ResourcesOf) -> OrderList:
    """The contract, what was ordered, and the next sizes with their prices."""
    return show_orders(
        await ordering.list_orders(resources.pool, administrator, administrator.tenant_id)
    )


@router.post("/orders/preview")
async def preview_order(
    body: OrderRequest, administrator: Administrator, resources: ResourcesOf
) -> OrderPreview:
    """What an order would cost; nothing is ordered."""
    tenant_id = administrator.tenant_id
    shown = await ordering.preview(resources.pool, administrator, tenant_id, body.wish)
    return show_preview(shown)


@router.post("/orders", status_code=201)
async def place_order(
    body: OrderRequest,
    key: Key,
    administrator: Administrator,
    resources: ResourcesOf,
    response: Response,
) -> OrderShown:
    """Orders once a key; 200 where it was ordered before."""
    tenant_id = administrator.tenant_id
    shown = await ordering.place(resources.pool, administrator, tenant_id, body.wish, key)
    response.status_code = 201 if shown.is_new else 200
    return show_order(shown)
