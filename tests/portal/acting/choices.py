"""Which reports each reader gets, and a client that declines them."""

from __future__ import annotations

from libs.shared import signed_links
from services.portal.rules.log import acts
from tests.portal.acting.world import Acting, World, own


def link(world: World) -> str:
    """Where a reader says which reports they want."""
    tenant_id = world.client.tenant_id
    key = world.portal.parts.mail_key
    token = signed_links.make_token(key, "reports", tenant_id, tenant_id, world.client.email)
    return f"/reports/{token}"


ACTING: Acting = {
    ("GET", "/reports"): (lambda w: w.get(w.page, "/reports"), own(acts.ReadersListed)),
    ("POST", "/reports"): (
        lambda w: w.send(w.page, "/reports", change="decline"),
        own(acts.ReportsDeclined),
    ),
    ("GET", "/reports/{token}"): (
        lambda w: w.visitor.request(w.reads_by, link(w)),
        own(acts.ChoiceOpened),
    ),
    ("POST", "/reports/{token}"): (
        lambda w: w.visitor.post(link(w), data={"choice": "failures"}),
        own(acts.ReaderChanged),
    ),
    ("GET", "/api/v1/reports"): (
        lambda w: w.get(w.api, "/api/v1/reports"),
        own(acts.ReadersListed),
    ),
    ("PUT", "/api/v1/reports"): (
        lambda w: w.api.put("/api/v1/reports", json={"declined": False}),
        own(acts.ReportsWanted),
    ),
    ("PUT", "/api/v1/reports/readers/{email}"): (
        lambda w: w.api.put(f"/api/v1/reports/readers/{w.client.email}", json={"choice": "weekly"}),
        own(acts.ReaderChanged),
    ),
}
