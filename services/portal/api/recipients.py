"""Who gets a plan's reports, for the client's administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from libs.shared.events import Locale
from services.portal.actions import recipients
from services.portal.api.access import (
    Client,
    ResourcesOf,
    SignedIn,
    check_administrator,
    find_resources,
    find_signed_in,
)
from services.portal.rules.log.chain import Actor


async def find_administrator(person: SignedIn, actor: Client) -> Actor:
    """The client's administrator who asks; raises Forbidden for its other users."""
    check_administrator(person)
    return actor


@asynccontextmanager
async def admit_administrator(request: Request) -> AsyncIterator[None]:
    """Lets a client's administrator in, before a body is read."""
    check_administrator(await find_signed_in(request, find_resources(request)))
    yield


Administrator = Annotated[Actor, Depends(find_administrator)]

router = APIRouter(tags=["recipients"], route_class=web.behind(admit_administrator))


class RecipientRequest(BaseModel):
    """An address; with `ask` it is mailed a link first, and counts once that was accepted.

    locale: in which language it is written to, where not in the client's.
    """

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=320)]
    ask: bool = False
    locale: Locale | None = None


@router.get("/plans/{plan}/recipients")
async def list_recipients(
    plan: str, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """Every address that a plan's machine declares or an administrator named, and its state.

    plan: `all` for the addresses that get the reports of every plan.
    """
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
    await change(resources.pool, administrator, plan, body.email, body.locale)
    return Response(status_code=204)


@router.delete("/plans/{plan}/recipients/{email}", status_code=204)
async def remove_recipient(
    plan: str, email: str, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Sends reports there no more, whatever the machine declares."""
    await recipients.remove_recipient(resources.pool, administrator, plan, email)
    return Response(status_code=204)
