"""What a client sees: is everything all right? Then plans and their runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.database import tenant_transaction
from services.portal import store
from services.portal.actions import browsing
from services.portal.api.access import PartsOf
from services.portal.pages.charts import STRIP_LENGTH
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client, Reader, SignInFirst

router = APIRouter()

_RUNS_AT_ONCE = 50


@router.get("/")
async def show_home(request: Request, reader: Reader, parts: PartsOf) -> Response:
    """Plans at a glance; operators go to their clients."""
    if reader is None:
        raise SignInFirst
    if reader.tenant_id is None:
        return RedirectResponse("/clients", 303)
    tenant_id = reader.tenant_id
    async with tenant_transaction(parts.pool, tenant_id) as conn:
        tenant = await store.tenants.find(conn, tenant_id)
        plans = await store.shown.list_plans(conn, tenant_id)
        runs = await store.shown.list_latest_runs(
            conn, tenant_id, [plan.plan_id for plan in plans], STRIP_LENGTH
        )
        volume = await store.shown.find_volume(conn, tenant_id)
        verified = await store.shown.find_verified(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound
    finished = {
        plan.plan_id: next((run for run in runs[plan.plan_id] if run.outcome), None)
        for plan in plans
    }
    return render(
        request,
        "home.html",
        reader,
        timezone=tenant.timezone,
        tenant=tenant,
        plans=plans,
        runs=runs,
        finished=finished,
        volume=volume,
        verified=verified,
        reserved_files=sum(run.files_not_copied for run in finished.values() if run),
        mood=_mood([run.outcome if run else None for run in finished.values()]),
    )


def _mood(outcomes: list[str | None]) -> str:
    """The worst of the plans' last outcomes."""
    for worst in ("failed", "succeeded_with_warnings", "succeeded"):
        if worst in outcomes:
            return worst if None not in outcomes or worst != "succeeded" else "waiting"
    return "waiting"


@router.get("/plans/{plan}")
async def show_plan(
    plan: str,
    request: Request,
    person: Client,
    parts: PartsOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
) -> Response:
    """One plan with its runs."""
    assert person.tenant_id is not None
    async with tenant_transaction(parts.pool, person.tenant_id) as conn:
        tenant = await store.tenants.find(conn, person.tenant_id)
        found = await browsing.find_plan(conn, person.tenant_id, plan)
        known = await store.shown.list_plans(conn, person.tenant_id)
        runs = await store.shown.list_runs(
            conn, person.tenant_id, found.plan_id, before=before, limit=_RUNS_AT_ONCE + 1
        )
    if tenant is None:
        raise errors.NotFound
    return render(
        request,
        "plan.html",
        person,
        timezone=tenant.timezone,
        tenant=tenant,
        plan=next(one for one in known if one.plan_id == found.plan_id),
        runs=runs[:_RUNS_AT_ONCE],
        last=next((run for run in runs if run.outcome), None),
        older=runs[_RUNS_AT_ONCE - 1].number if len(runs) > _RUNS_AT_ONCE else None,
        is_first=before == 2**31 - 1,
    )


@router.get("/plans/{plan}/runs/{number}")
async def show_run(
    plan: str, number: int, request: Request, person: Client, parts: PartsOf
) -> Response:
    """One run: its summary, what was not copied and why."""
    assert person.tenant_id is not None
    if not 0 <= number < 2**31:
        raise errors.NotFound
    async with tenant_transaction(parts.pool, person.tenant_id) as conn:
        tenant = await store.tenants.find(conn, person.tenant_id)
        found = await browsing.find_plan(conn, person.tenant_id, plan)
        run = await store.shown.find_run(conn, person.tenant_id, found.plan_id, number)
        reports = await store.shown.list_reports(conn, person.tenant_id, run.run_id) if run else []
    if run is None or tenant is None:
        raise errors.NotFound
    return render(
        request,
        "run.html",
        person,
        timezone=tenant.timezone,
        plan=found,
        run=run,
        reports=reports,
    )
