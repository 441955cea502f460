"""All clients, the worst first, as a list and as a matrix of their last days."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.portal.actions.clients import listing
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.desk import drawings
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator
from services.portal.rules.clients import TROUBLES
from services.portal.rules.people import Person

router = APIRouter()

Search = Annotated[str, Query(alias="q", max_length=200)]
State = Annotated[str, Query(max_length=20)]
Page = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/clients")
async def list_clients(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    search: Search = "",
    state: State = "",
    page: Page = 1,
) -> Response:
    """Clients with their state; a filter and a search stand in the address."""
    return await _list(request, operator, resources, address, search, state, page, "clients")


@router.get("/clients/days")
async def list_days(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    search: Search = "",
    state: State = "",
    page: Page = 1,
) -> Response:
    """The same clients with each of their last days."""
    return await _list(request, operator, resources, address, search, state, page, "days")


async def _list(
    request: Request,
    operator: Person,
    resources: Resources,
    address: str,
    search: str,
    state: str,
    page: int,
    template: str,
) -> Response:
    trouble = next((one for one in TROUBLES if one == state), None)
    found = await listing.list_page(
        resources.pool,
        operator.at(address),
        search=search,
        trouble=trouble,
        page=page,
        by_days=template == "days",
    )

    def link(**changes: object) -> str:
        """The address of this list with something else chosen."""
        wanted = {"q": search.strip(), "state": trouble or "", **changes}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"{request.scope['path']}?{query}" if query else request.scope["path"]

    return render(
        request,
        f"{template}.html",
        operator,
        found=found,
        troubles=TROUBLES,
        state=trouble or "",
        search=search,
        page=page,
        link=link,
        drawings=drawings,
    )
