"""What a client's administrators order, by program."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from libs.shared import web
from services.portal.actions.orders import ordering, saying
from services.portal.api.access import ResourcesOf
from services.portal.api.orders.requests import Key, OrderRequest, list_to_json
from services.portal.api.recipients import Administrator, admit_administrator

router = APIRouter(tags=["orders"], route_class=web.behind(admit_administrator))


@router.get("/orders")
async def list_orders(administrator: Administrator, resources: ResourcesOf) -> dict[str, Any]:
    """The contract, what was ordered, and the next sizes with their prices."""
    return list_to_json(
        await ordering.list_orders(resources.pool, administrator, administrator.tenant_id)
    )


@router.post("/orders/preview")
async def preview_order(
    body: OrderRequest, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """What an order would cost; nothing is ordered."""
    tenant_id = administrator.tenant_id
    shown = await ordering.preview(resources.pool, administrator, tenant_id, body.wish)
    return saying.preview_to_json(shown)


@router.post("/orders", status_code=201)
async def place_order(
    body: OrderRequest,
    key: Key,
    administrator: Administrator,
    resources: ResourcesOf,
    response: Response,
) -> dict[str, Any]:
    """Orders once a key; 200 where it was ordered before."""
    tenant_id = administrator.tenant_id
    shown = await ordering.place(resources.pool, administrator, tenant_id, body.wish, key)
    response.status_code = 201 if shown.is_new else 200
    return saying.to_json(shown)
