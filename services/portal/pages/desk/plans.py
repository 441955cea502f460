"""A client's plans and runs as its operators see them; the client sees who looked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from libs.shared import errors
from services.portal.actions import incidents, runs
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.desk.one import PROBLEMS, SAID, Said, back
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, field, line

router = APIRouter()

_RUNS_AT_ONCE = 50
_LAST = 2**31 - 1


@router.get("/clients/{tenant_id}/plans/{plan}")
async def show_plan(
    tenant_id: UUID,
    plan: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    before: Annotated[int, Query(ge=0, lt=2**31)] = _LAST,
    said: Said = "",
) -> Response:
    """One plan with its runs."""
    found = await runs.list_runs(
        resources.pool,
        operator.at(address).within(tenant_id),
        plan,
        before=before,
        limit=_RUNS_AT_ONCE + 1,
    )
    return render(
        request,
        "client_plan.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        plan=found.plan,
        runs=found.runs[:_RUNS_AT_ONCE],
        last=next((run for run in found.runs if run.outcome), None),
        older=found.runs[_RUNS_AT_ONCE - 1].number if len(found.runs) > _RUNS_AT_ONCE else None,
        is_first=before == _LAST,
        next_due=found.next_due,
        problem=SAID[said] if said in PROBLEMS else "",
    )


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
    found = await runs.find_report(
        resources.pool, operator.at(address).within(tenant_id), plan, number
    )
    return render(
        request,
        "client_run.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        plan=found.plan,
        run=found.run,
        reports=found.reports,
    )


@router.post("/clients/{tenant_id}/plans/{plan}/pause")
async def pause(
    tenant_id: UUID,
    plan: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Expects no run of a plan before a day."""
    form = await sessions.read_form(request, resources)
    reason = line(form, "reason")
    if not reason:
        return back(tenant_id, "reason-missing", f"/plans/{plan}")
    until = datetime.combine(read_day(field(form, "until")), time(), UTC)
    await incidents.pause(resources.pool, operator.at(address), tenant_id, plan, until, reason)
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
