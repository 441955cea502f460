"""Who gets a plan's reports, for the client's administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import errors
from services.portal.actions import recipients
from services.portal.api.access import Client, PersonFirst, ResourcesOf, SignedIn
from services.portal.rules.log.chain import Actor

router = APIRouter(tags=["recipients"], route_class=PersonFirst)


async def find_administrator(person: SignedIn, actor: Client) -> Actor:
    """The client's administrator who asks; raises Forbidden for its other users."""
    if person.role != "administrator":
        raise errors.Forbidden("Only an administrator of the client may do this.")
    return actor


Administrator = Annotated[Actor, Depends(find_administrator)]


class RecipientRequest(BaseModel):
    """An address; with `ask` it is mailed a link first, and counts once that was accepted."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=320)]
    ask: bool = False


@router.get("/plans/{plan}/recipients")
async def list_recipients(
    plan: str, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """Every address that a plan's machine declares or an administrator named, and its state."""
    shown = await recipients.list_recipients(resources.pool, administrator, plan)
    return {
        "recipients": [
            {
                "email": entry.email,
                "state": entry.state,
                "declared": entry.is_declared,
                "gets_reports": entry.is_counted and shown.plan.reports,
            }
            for entry in shown.entries
        ]
    }


@router.post("/plans/{plan}/recipients", status_code=204)
async def add_recipient(
    plan: str, body: RecipientRequest, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Sends reports to an address from now on, or asks it first."""
    change = recipients.ask_recipient if body.ask else recipients.add_recipient
    await change(resources.pool, administrator, plan, body.email)
    return Response(status_code=204)


@router.delete("/plans/{plan}/recipients/{email}", status_code=204)
async def remove_recipient(
    plan: str, email: str, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Sends reports there no more, whatever the machine declares."""
    await recipients.remove_recipient(resources.pool, administrator, plan, email)
    return Response(status_code=204)
