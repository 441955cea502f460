"""All open overage cases on one board."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.portal.actions import overages
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.desk import drawings
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator

router = APIRouter()


@router.get("/overages")
async def show_board(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Every open case on an axis of 30 days before and behind, the next deadline first."""
    found = await overages.list_open(resources.pool, operator.at(address))
    rows = [(one.client, one.opened_at, one.due_at, one.blocked) for one in found]
    return render(request, "overages.html", operator, cases=found, rows=rows, drawings=drawings)
