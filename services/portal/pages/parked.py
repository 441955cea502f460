"""Events that wait for a person: read, handled again, or dropped with a reason."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from services.portal.actions import parked
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, line
from services.portal.store.parked import Decision

router = APIRouter()

_DECISIONS: dict[str, Decision] = {"replay": "replay", "drop": "drop"}


@router.get("/parked")
async def list_parked(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every event that waits, the oldest first."""
    found = await parked.list_parked(resources.pool, operator.at(address))
    return render(request, "parked.html", operator, events=found, said=said)


@router.get("/parked/{service}/{event_id}")
async def show_event(
    service: str,
    event_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """One event with its error in full."""
    found = await parked.view_parked(resources.pool, operator.at(address), service, event_id)
    return render(request, "parked_event.html", operator, event=found, said=said)


@router.post("/parked/{service}/{event_id}/{decision}")
async def decide(
    service: str,
    event_id: UUID,
    decision: str,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Has the service handle it again, or count it as done."""
    if decision not in _DECISIONS:
        raise errors.NotFound
    reason = line(sent.fields, "reason")
    if not reason:
        return RedirectResponse(f"/parked/{service}/{event_id}?said=reason-missing", 303)
    what = _DECISIONS[decision]
    await parked.decide(resources.pool, sent.actor, service, event_id, what, reason)
    return RedirectResponse(f"/parked?{urlencode({'said': decision})}", 303)
