"""Terms that operators publish, and who accepted them."""

from __future__ import annotations

from typing import Any

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    Acting,
    World,
    nobody,
    own,
)

DOCUMENT = {
    "document": "general-terms",
    "version": "1",
    "title": "Conditions",
    "text": "Article 1",
    "in_force_on": "2027-01-01",
}


async def accept_another(world: World) -> Any:
    await world.operator.post("/api/v1/documents", json={**DOCUMENT, "version": "2"})
    return await world.api.post("/api/v1/documents/general-terms/2/accept")


ACTING: Acting = {
    ("POST", "/api/v1/documents"): (
        lambda w: w.operator.post("/api/v1/documents", json=DOCUMENT),
        nobody(acts.DocumentPublished),
    ),
    ("GET", "/api/v1/documents"): (
        lambda w: w.get(w.operator, "/api/v1/documents"),
        nobody(acts.DocumentsListed),
    ),
    ("GET", "/api/v1/documents/asked"): (
        lambda w: w.get(w.api, "/api/v1/documents/asked"),
        own(acts.DocumentsViewed),
    ),
    ("POST", "/api/v1/documents/{document}/{version}/accept"): (
        accept_another,
        [("nobody", acts.DocumentPublished), ("own", acts.DocumentAccepted)],
    ),
    ("GET", "/api/v1/documents/{document}/{version}/acceptances"): (
        lambda w: w.get(w.operator, "/api/v1/documents/general-terms/1/acceptances"),
        nobody(acts.AcceptancesListed),
    ),
    ("GET", "/documents"): (lambda w: w.get(w.page, "/documents"), own(acts.DocumentsViewed)),
    ("POST", "/documents/{document}/{version}"): (
        lambda w: w.send(w.page, "/documents/general-terms/1"),
        own(acts.DocumentAccepted),
    ),
}
