"""Asking for help with a run, and pausing a plan whose machine is retired or off."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid5

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import clock, errors
from services.portal.actions import incidents
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Administrator, Client, field, line
from services.portal.rules.incidents import LONGEST_MESSAGE

router = APIRouter()

_RETIRED_FOR = timedelta(days=365)


@router.post("/plans/{plan}/runs/{number}/help")
async def ask_for_help(
    plan: str,
    number: int,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Asks the provider's hotline for help with a run."""
    form = await sessions.read_form(request, resources)
    try:
        run_id = UUID(field(form, "run"))
    except ValueError:
        raise errors.NotFound("run") from None
    message = field(form, "message")[:LONGEST_MESSAGE]
    # Sent again after a change of mind it says something else.
    actor, help_id = person.at(address), uuid5(sessions.key(form), f"{run_id} {message}")
    await incidents.ask_for_help(resources.pool, person, actor, help_id, run_id, message)
    return RedirectResponse(f"/plans/{plan}/runs/{number}?asked=1#help", 303)


@router.get("/plans/{plan}/pause")
async def show_pause(
    plan: str,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """What pausing a plan means, with the one button that does it."""
    actor = person.at(address)
    found = await incidents.view_pause(resources.pool, actor, actor.tenant_id, plan)
    return render(
        request,
        "pause.html",
        person,
        timezone=found.tenant.timezone,
        plan=found.plan,
        suggested=(clock.now() + _RETIRED_FOR).date(),
    )


@router.post("/plans/{plan}/pause")
async def pause(
    plan: str,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Expects no run of a plan before a day."""
    form = await sessions.read_form(request, resources)
    actor = person.at(address)
    until = _read_day(field(form, "until"))
    reason = line(form, "reason")
    await incidents.pause(resources.pool, actor, actor.tenant_id, plan, until, reason)
    return RedirectResponse(f"/plans/{plan}", 303)


def _read_day(text: str) -> datetime:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        raise errors.InvalidRequest("This is not a day.") from None
    return datetime.combine(day, time(), UTC)
