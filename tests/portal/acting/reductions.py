"""What fills a client's volume, dropped and taken back."""

from __future__ import annotations

from typing import Any

import httpx2

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    TENANT,
    Acting,
    World,
    own,
)


async def drop(world: World, who: httpx2.AsyncClient, path: str) -> Any:
    """Has the plan's copies dropped, or asks what that would free."""
    wish = {"what": "plan", "plan": str(world.client.plan_id)}
    return await who.post(world.at(path), json=wish)


async def take_back(world: World, who: httpx2.AsyncClient) -> Any:
    """Takes back what was dropped last."""
    newest = await world.portal.admin.fetchval(
        "SELECT reduction_id FROM portal.reductions ORDER BY ordered_at DESC LIMIT 1"
    )
    if who is world.page:
        return await world.send(who, f"/volume/reductions/{newest}/withdraw")
    above = TENANT if who is world.operator else "/api/v1"
    return await who.post(world.at(f"{above}/reductions/{newest}/withdraw"))


ACTING: Acting = {
    ("GET", "/volume"): (lambda w: w.get(w.page, "/volume"), own(acts.VolumeViewed)),
    ("GET", "/volume/preview"): (
        lambda w: w.get(w.page, "/volume/preview?what=plan&plan={plan}"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/volume/reductions"): (
        lambda w: w.send(w.page, "/volume/reductions", what="plan", plan=str(w.client.plan_id)),
        own(acts.ReductionOrdered),
    ),
    ("POST", "/volume/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.page),
        own(acts.ReductionWithdrawn),
    ),
    ("GET", "/api/v1/volume"): (lambda w: w.get(w.api, "/api/v1/volume"), own(acts.VolumeViewed)),
    ("POST", "/api/v1/reductions/preview"): (
        lambda w: drop(w, w.api, "/api/v1/reductions/preview"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/api/v1/reductions"): (
        lambda w: drop(w, w.api, "/api/v1/reductions"),
        own(acts.ReductionOrdered),
    ),
    ("GET", "/api/v1/reductions"): (
        lambda w: w.get(w.api, "/api/v1/reductions"),
        own(acts.ReductionsListed),
    ),
    ("POST", "/api/v1/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.api),
        own(acts.ReductionWithdrawn),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/volume"): (
        lambda w: w.get(w.operator, TENANT + "/volume"),
        own(acts.VolumeViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/preview"): (
        lambda w: drop(w, w.operator, TENANT + "/reductions/preview"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions"): (
        lambda w: drop(w, w.operator, TENANT + "/reductions"),
        own(acts.ReductionOrdered),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/reductions"): (
        lambda w: w.get(w.operator, TENANT + "/reductions"),
        own(acts.ReductionsListed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.operator),
        own(acts.ReductionWithdrawn),
    ),
}
