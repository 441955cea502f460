"""What operators decide about a destruction, and its certificate."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from libs.shared import certificates
from libs.shared.events import DestructionCompleted, DestructionProgressed
from libs.shared.reasons import Reason
from services.portal.rules.log import acts
from tests.portal import builder
from tests.portal.acting.world import (
    TENANT,
    Acting,
    World,
    nobody,
    own,
)

CERTIFICATE = json.dumps(
    {
        "certificate": {
            "format": certificates.FORMAT,
            "certificate_id": str(UUID(int=7)),
            "client": {"name": "Dupré", "tenant_id": "-"},
            "locale": "fr",
            "subscription": {"ended_at": "2026-11-23T01:00:00Z", "reason": ""},
            **dict.fromkeys(
                ("due_at", "begun_at", "keys_destroyed_at", "completed_at"),
                "2026-12-23T01:00:00Z",
            ),
            "found_empty_at": ["2026-12-23T01:00:00Z"],
            "destroyed": {"objects": 3, "bytes": 5, "merkle_root": "00", "appeared_later": 0},
            "methods": [{"method": "Clear"}],
            "rows": {"portal": {"portal.users": 1}},
            "kept": [],
            "key_id": "00",
        },
        "signature": "AA==",
    }
)


async def due(world: World) -> None:
    """A destruction of the client waits for a second operator."""
    version = 1 + await world.portal.admin.fetchval(
        "SELECT coalesce(max(told), 0) FROM portal.destructions"
    )
    event = DestructionProgressed(
        tenant_id=world.client.tenant_id,
        version=version,
        state="waiting",
        due_at=builder.NOW,
        objects_left=3,
        reasons=(Reason("destruction-large", amount=2, limit=1),),
    )
    await builder.hear(world.portal, event)


async def see_destruction(world: World) -> Any:
    await due(world)
    return await world.get(world.operator, TENANT + "/destruction")


async def confirm(world: World) -> Any:
    await due(world)
    return await decide(world, "confirm")


async def decide(world: World, decision: str) -> Any:
    path = world.at(f"{TENANT}/destruction/{decision}")
    return await world.operator.post(path, json={"reason": "seen"})


async def certify(world: World) -> UUID:
    event = DestructionCompleted(
        tenant_id=world.client.tenant_id, destruction_id=UUID(int=7), certificate=CERTIFICATE
    )
    await builder.hear(world.portal, event)
    return event.destruction_id


async def see_certificate(world: World) -> Any:
    await certify(world)
    return await world.get(world.operator, TENANT + "/certificate")


async def follow_certificate(world: World, more: str = "") -> Any:
    token = certificates.make_token(
        world.portal.parts.mail_key, world.client.tenant_id, await certify(world)
    )
    return await world.visitor.request(world.reads_by, f"/certificates/{token}{more}")


ACTING: Acting = {
    ("GET", "/api/v1/destructions"): (
        lambda w: w.get(w.operator, "/api/v1/destructions"),
        nobody(acts.DestructionsListed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/destruction"): (
        see_destruction,
        own(acts.DestructionViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/confirm"): (
        confirm,
        own(acts.DestructionConfirmed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/hold"): (
        lambda w: decide(w, "hold"),
        own(acts.DestructionHeld),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/release"): (
        lambda w: decide(w, "release"),
        own(acts.DestructionReleased),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/certificate"): (
        see_certificate,
        own(acts.CertificateRead),
    ),
    ("GET", "/certificates/{token}"): (follow_certificate, own(acts.CertificateRead)),
    ("GET", "/certificates/{token}/json"): (
        lambda w: follow_certificate(w, "/json"),
        own(acts.CertificateRead),
    ),
}
