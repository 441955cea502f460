"""All clients, the worst first, as a list and as a matrix of their last days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
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


@dataclass(frozen=True)
class ListWish:
    """What a list of clients is to show: a filter and a search, as they stand in its address."""

    search: str
    state: str
    page: int


async def read_wish(
    search: Annotated[str, Query(alias="q", max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> ListWish:
    """The address of a list."""
    return ListWish(search, state, page)


Wished = Annotated[ListWish, Depends(read_wish)]


@router.get("/clients")
async def list_clients(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address, wish: Wished
) -> Response:
    """Clients with their state; a filter and a search stand in the address."""
    return await _list(request, operator, resources, address, wish, "clients")


@router.get("/clients/days")
async def list_days(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address, wish: Wished
) -> Response:
    """The same clients with each of their last days."""
    return await _list(request, operator, resources, address, wish, "days")


async def _list(
    request: Request,
    operator: Person,
    resources: Resources,
    address: str,
    wish: ListWish,
    template: str,
) -> Response:
    trouble = next((one for one in TROUBLES if one == wish.state), None)
    found = await listing.list_page(
        resources.pool,
        operator.at(address),
        search=wish.search,
        trouble=trouble,
        page=wish.page,
        by_days=template == "days",
    )

    def link(**changes: object) -> str:
        """The address of this list with something else chosen."""
        wanted = {"q": wish.search.strip(), "state": trouble or "", **changes}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"{request.scope['path']}?{query}" if query else request.scope["path"]

    return render(
        request,
        f"{template}.html",
        operator,
        found=found,
        troubles=TROUBLES,
        state=trouble or "",
        search=wish.search,
        page=wish.page,
        link=link,
        drawings=drawings,
    )
