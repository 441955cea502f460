"""A client's plans and runs as its operators see them; the client sees who looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.shared import errors
from services.portal.actions import incidents, looks
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.desk.one import PROBLEMS, SAID, Said, back
from services.portal.pages.rendering import render
from services.portal.pages.runs import LAST, Before, look_at_plan, look_at_run
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules.looks import hide_paths

router = APIRouter()


@router.get("/clients/{tenant_id}/plans/{plan}")
async def show_plan(
    tenant_id: UUID,
    plan: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    before: Before = LAST,
    said: Said = "",
) -> Response:
    """One plan with its runs."""
    actor = operator.at(address).within(tenant_id)
    shown = await look_at_plan(resources, actor, plan, before)
    problem = SAID[said] if said in PROBLEMS else ""
    return render(request, "client_plan.html", operator, problem=problem, **shown)


@router.get("/clients/{tenant_id}/plans/{plan}/runs/{number}")
async def show_run(
    tenant_id: UUID,
    plan: str,
    number: int,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """One run: its figures, its reason, what was not copied; no other name of a file."""
    actor = operator.at(address).within(tenant_id)
    shown = await look_at_run(resources, actor, plan, number)
    named = await looks.shows_names(resources, actor, tenant_id)
    if not named:
        shown["run"] = replace(shown["run"], dumps=hide_paths(shown["run"].dumps))
    return render(request, "client_run.html", operator, named=named, **shown)


@router.post("/clients/{tenant_id}/plans/{plan}/pause")
async def pause(tenant_id: UUID, plan: str, sent: Sent, resources: ResourcesOf) -> Response:
    """Expects no run of a plan before a day."""
    reason = line(sent.fields, "reason")
    if not reason:
        return back(tenant_id, "reason-missing", f"/plans/{plan}")
    until = datetime.combine(read_day(field(sent.fields, "until")), time(), UTC)
    await incidents.pause(resources.pool, sent.actor, tenant_id, plan, until, reason)
    return back(tenant_id, "saved")


def read_day(text: str) -> datetime:
    """The day of a form's field; raises InvalidRequest."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        raise errors.InvalidRequest("This is not a day.") from None
    # The day after it, in any zone, has to be one that a clock can say.
    if not date.min.year < day.year < date.max.year:
        raise errors.InvalidRequest("This is not a day.")
    return day
