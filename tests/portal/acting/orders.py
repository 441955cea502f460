"""Orders, prices, and what is due."""

from __future__ import annotations

import json
import re
from typing import Any

from libs.shared.events import VolumeChanged
from services.portal.rules.log import acts
from tests.portal import builder
from tests.portal.acting.world import (
    TENANT,
    TENANTS,
    Acting,
    World,
    nobody,
    own,
)

KEY, OTHER_KEY = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}


async def order_by_page(world: World) -> Any:
    """The preview's form, sent."""
    preview = await world.page.get("/orders/preview?seats=4")
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', preview.text))
    return await world.page.post("/orders", data=fields)


async def revise(world: World) -> Any:
    """More is stored than was contracted, and the provider raises that."""
    await builder.hear(
        world.portal,
        VolumeChanged(
            tenant_id=world.client.tenant_id, stored_bytes=2 * 10**12, protected_bytes=1,
            sequence=1000,
        ),
    )  # fmt: skip
    body = {"reason": "above", "clause": "7.3"}
    return await world.operator.post(world.at(TENANT + "/quota/revise"), json=body)


async def put_prices(world: World) -> Any:
    kept = await world.portal.admin.fetchval(
        "SELECT lists FROM portal.price_lists ORDER BY version DESC LIMIT 1"
    )
    lists = json.loads(kept)
    return await world.operator.put("/api/v1/prices", json={"lists": lists})


ACTING: Acting = {
    ("GET", "/orders"): (lambda w: w.get(w.page, "/orders"), own(acts.OrdersListed)),
    ("GET", "/orders/preview"): (
        lambda w: w.get(w.page, "/orders/preview?seats=4"),
        own(acts.OrderPreviewed),
    ),
    ("POST", "/orders"): (order_by_page, own(acts.OrderPreviewed, acts.OrderPlaced)),
    ("GET", "/api/v1/orders"): (
        lambda w: w.get(w.api, "/api/v1/orders"),
        own(acts.OrdersListed),
    ),
    ("POST", "/api/v1/orders/preview"): (
        lambda w: w.api.post("/api/v1/orders/preview", json={"seats": 9}),
        own(acts.OrderPreviewed),
    ),
    ("POST", "/api/v1/orders"): (
        lambda w: w.api.post("/api/v1/orders", json={"seats": 9}, headers=KEY),
        own(acts.OrderPlaced),
    ),
    ("GET", TENANTS + "/orders"): (
        lambda w: w.get(w.operator, TENANT + "/orders"),
        own(acts.OrdersListed),
    ),
    ("POST", TENANTS + "/orders/preview"): (
        lambda w: w.operator.post(w.at(TENANT + "/orders/preview"), json={"seats": 10}),
        own(acts.OrderPreviewed),
    ),
    ("POST", TENANTS + "/orders"): (
        lambda w: w.operator.post(w.at(TENANT + "/orders"), json={"seats": 10}, headers=OTHER_KEY),
        own(acts.OrderPlaced),
    ),
    ("PUT", TENANTS + "/orders/allowed"): (
        lambda w: w.operator.put(w.at(TENANT + "/orders/allowed"), json={"allowed": True}),
        own(acts.OrdersAllowed),
    ),
    ("POST", TENANTS + "/quota/revise"): (revise, own(acts.OrderPlaced)),
    ("GET", "/api/v1/prices"): (
        lambda w: w.get(w.operator, "/api/v1/prices"),
        nobody(acts.PricesViewed),
    ),
    ("PUT", "/api/v1/prices"): (put_prices, nobody(acts.PricesPut)),
    ("POST", "/api/v1/billing/{month}/close"): (
        lambda w: w.operator.post("/api/v1/billing/2024-01/close"),
        nobody(acts.MonthClosed),
    ),
    ("GET", "/api/v1/billing/{month}"): (
        lambda w: w.get(w.operator, "/api/v1/billing/2024-01"),
        nobody(acts.BillingExported),
    ),
}
