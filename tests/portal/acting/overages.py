"""How a client stands against its contract, and what is answered and decided."""

from __future__ import annotations

from typing import Any

from libs.shared import signed_links
from services.portal.rules.log import acts
from tests.portal import builder
from tests.portal.acting.world import (
    TENANT,
    Acting,
    World,
    own,
)
from tests.world.overages import told


async def overage(world: World) -> str:
    """The page behind a link of the mail on the client's overage case, which is open."""
    case = told(world.client.tenant_id)
    await builder.hear(world.portal, case)
    token = signed_links.make_token(
        world.portal.parts.mail_key,
        "overage",
        world.client.tenant_id,
        case.case_id,
        world.client.email,
    )
    return f"/overage/{token}/call"


async def follow_overage(world: World) -> Any:
    return await world.get(world.visitor, await overage(world))


async def answer_overage(world: World) -> Any:
    return await world.visitor.post(await overage(world))


ACTING: Acting = {
    ("GET", "/overage/{token}/{answer}"): (follow_overage, own(acts.OverageLinkOpened)),
    ("POST", "/overage/{token}/{answer}"): (answer_overage, own(acts.OverageAnswered)),
    ("POST", "/quota/answer"): (
        lambda w: w.send(w.page, "/quota/answer", answer="call"),
        own(acts.OverageAnswered),
    ),
    ("GET", "/api/v1/quota"): (lambda w: w.get(w.api, "/api/v1/quota"), own(acts.QuotaViewed)),
    ("POST", "/api/v1/quota/answer"): (
        lambda w: w.api.post("/api/v1/quota/answer", json={"answer": "order"}),
        own(acts.OverageAnswered),
    ),
    ("GET", "/api/v1/volume/days"): (
        lambda w: w.get(w.api, "/api/v1/volume/days"),
        own(acts.QuotaViewed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/volume/days"): (
        lambda w: w.get(w.operator, TENANT + "/volume/days?from=2026-01-01&to=2026-12-31"),
        own(acts.QuotaViewed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/quota"): (
        lambda w: w.get(w.operator, TENANT + "/quota"),
        own(acts.QuotaViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/extend"): (
        lambda w: w.operator.post(
            w.at(TENANT + "/quota/extend"),
            json={"reason": "agreed", "until": "2099-01-01T00:00:00Z"},
        ),
        own(acts.DeadlineExtended),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/block"): (
        lambda w: w.operator.post(w.at(TENANT + "/quota/block"), json={"reason": "agreed"}),
        own(acts.GrowthBlocked),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/unblock"): (
        lambda w: w.operator.post(w.at(TENANT + "/quota/unblock"), json={"reason": "agreed"}),
        own(acts.GrowthUnblocked),
    ),
}
