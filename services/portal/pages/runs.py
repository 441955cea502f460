"""A plan with its runs, and the report of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.portal.actions import runs
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client

router = APIRouter()

_RUNS_AT_ONCE = 50


@router.get("/plans/{plan}")
async def show_plan(
    plan: str,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
) -> Response:
    """One plan with its runs."""
    found = await runs.list_runs(
        resources.pool, person.at(address), plan, before=before, limit=_RUNS_AT_ONCE + 1
    )
    return render(
        request,
        "plan.html",
        person,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        plan=found.plan,
        runs=found.runs[:_RUNS_AT_ONCE],
        last=next((run for run in found.runs if run.outcome), None),
        older=found.runs[_RUNS_AT_ONCE - 1].number if len(found.runs) > _RUNS_AT_ONCE else None,
        is_first=before == 2**31 - 1,
    )


@router.get("/plans/{plan}/runs/{number}")
async def show_run(
    plan: str,
    number: int,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    asked: bool = False,
) -> Response:
    """One run: its summary, what was not copied and why, and a way to ask for help."""
    found = await runs.find_report(resources.pool, person.at(address), plan, number)
    return render(
        request,
        "run.html",
        person,
        timezone=found.tenant.timezone,
        plan=found.plan,
        run=found.run,
        reports=found.reports,
        asked=asked,
    )
