"""A plan with its runs, and the report of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.shared.catalogue import join_path
from services.portal.actions import runs
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.places import Between, find_between
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.store.runs.changes import SHOWN as CHANGES_SHOWN

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
        points=[run for run in found.runs[:_RUNS_AT_ONCE] if run.restore_point],
        strip=found.strip,
        last_good=found.last_good,
        next_due=found.next_due,
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
        good=found.good,
        older=found.older,
        newer=found.newer,
        is_open=found.tenant.subscription in {"active", "ending"},
        asked=asked,
    )


@router.get("/plans/{plan}/changes")
async def show_changes(
    plan: str,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    between: Annotated[Between, Depends(find_between)],
) -> Response:
    """What two restore points have otherwise, folder by folder."""
    found = await runs.compare(
        resources.pool,
        person.at(address),
        plan,
        between.older,
        between.newer,
        between.path,
        between.after,
    )
    shown = found.changes[:CHANGES_SHOWN]
    return render(
        request,
        "changes.html",
        person,
        timezone=found.tenant.timezone,
        found=found,
        changes=shown,
        crumbs=names.crumbs(found.path),
        onward=shown[-1].name if len(found.changes) > CHANGES_SHOWN else None,
        join_path=join_path,
    )
