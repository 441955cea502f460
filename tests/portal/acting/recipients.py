"""Who gets reports, and what strangers answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from libs.shared import signed_links
from services.portal.rules.log import acts
from tests.portal.acting.world import (
    ASKED,
    PLAN,
    Acting,
    World,
    own,
)


async def invitation(world: World) -> str:
    """The page behind the link of the last invitation."""
    asked = (await world.portal.events("recipient.invited.v1"))[-1]
    token = signed_links.make_token(
        world.portal.parts.mail_key,
        "invitation",
        UUID(asked["tenant_id"]),
        UUID(asked["invitation_id"]),
        asked["email"],
    )
    return f"/invitations/{token}"


async def follow(world: World) -> Any:
    return await world.get(world.visitor, await invitation(world))


async def accept(world: World) -> Any:
    return await world.visitor.post(await invitation(world), data={"answer": "yes"})


ACTING: Acting = {
    ("GET", "/plans/{plan}/recipients"): (
        lambda w: w.get(w.page, "/plans/{plan}/recipients"),
        own(acts.RecipientsListed),
    ),
    ("POST", "/plans/{plan}/recipients"): (
        lambda w: w.send(w.page, "/plans/{plan}/recipients", email=ASKED, change="ask"),
        own(acts.RecipientAsked),
    ),
    ("GET", "/invitations/{token}"): (follow, own(acts.InvitationOpened)),
    ("POST", "/invitations/{token}"): (accept, own(acts.InvitationAnswered)),
    ("GET", PLAN + "/recipients"): (
        lambda w: w.get(w.api, PLAN + "/recipients"),
        own(acts.RecipientsListed),
    ),
    ("POST", PLAN + "/recipients"): (
        lambda w: w.api.post(w.at(PLAN + "/recipients"), json={"email": "eva@x.example"}),
        own(acts.RecipientAdded),
    ),
    ("DELETE", PLAN + "/recipients/{email}"): (
        lambda w: w.api.delete(w.at(PLAN + "/recipients/{email}")),
        own(acts.RecipientRemoved),
    ),
}
