"""What a client sees: is everything all right? Then plans and their runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from services.portal.actions import runs
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.charts import STRIP_LENGTH
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client, Reader, SignInFirst

router = APIRouter()

_RUNS_AT_ONCE = 50


@router.get("/")
async def show_home(
    request: Request, reader: Reader, resources: ResourcesOf, address: Address
) -> Response:
    """Plans at a glance; operators go to their clients."""
    if reader is None:
        raise SignInFirst
    if reader.tenant_id is None:
        return RedirectResponse("/clients", 303)
    found = await runs.look_over(resources.pool, reader.at(address), STRIP_LENGTH)
    finished = {
        plan.plan_id: next((run for run in found.runs[plan.plan_id] if run.outcome), None)
        for plan in found.plans
    }
    return render(
        request,
        "home.html",
        reader,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        plans=found.plans,
        runs=found.runs,
        finished=finished,
        volume=found.volume,
        verified=found.verified,
        reserved_files=sum(run.files_not_copied for run in finished.values() if run),
        oldest=min(
            (run.finished_at for run in finished.values() if run and run.finished_at), default=None
        ),
        late=found.late,
        unreached=found.unreached,
        mood=_mood([run.outcome if run else None for run in finished.values()], bool(found.late)),
    )


def _mood(outcomes: list[str | None], is_late: bool) -> str:
    """The worst of the plans' last outcomes, or that a run never came."""
    if is_late and "failed" not in outcomes:
        return "late"
    for worst in ("failed", "succeeded_with_warnings", "succeeded"):
        if worst in outcomes:
            return worst if None not in outcomes or worst != "succeeded" else "waiting"
    return "waiting"


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
