"""A plan with its runs, and the report of each."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.shared.catalogue import join_path
from services.portal.actions import runs
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.places import Between, find_between
from services.portal.pages.navigation import pages_of
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person
from services.portal.store.runs.changes import SHOWN as CHANGES_SHOWN

router = APIRouter()

_RUNS_AT_ONCE = 50
Compared = Annotated[Between, Depends(find_between)]
"""Two restore points, as an address names them."""
LAST = 2**31 - 1
Before = Annotated[int, Query(ge=0, le=LAST)]
"""A list goes on with the runs before this one."""


@router.get("/plans/{plan}")
async def show_plan(
    plan: str,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    before: Before = LAST,
) -> Response:
    """One plan with its runs."""
    shown = await look_at_plan(resources, person.at(address), plan, before)
    return render(request, "plan.html", person, **shown)


async def look_at_plan(
    resources: Resources, actor: Actor, plan: str, before: int
) -> dict[str, Any]:
    """What the page of a plan shows, to its client and to operators alike."""
    found = await runs.list_runs(
        resources.pool, actor, plan, before=before, limit=_RUNS_AT_ONCE + 1
    )
    shown = found.runs[:_RUNS_AT_ONCE]
    return {
        "timezone": found.tenant.timezone,
        "tenant": found.tenant,
        "plan": found.plan,
        "runs": shown,
        "last": next((run for run in found.runs if run.outcome), None),
        "older": shown[-1].number if len(found.runs) > _RUNS_AT_ONCE else None,
        "is_first": before == LAST,
        "points": [run for run in shown if run.restore_point],
        "strip": found.strip,
        "last_good": found.last_good,
        "next_due": found.next_due,
    }


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
    shown = await look_at_run(resources, person.at(address), plan, number)
    return render(request, "run.html", person, asked=asked, key=uuid4(), **shown)


async def look_at_run(resources: Resources, actor: Actor, plan: str, number: int) -> dict[str, Any]:
    """What the page of a run shows, to its client and to operators alike."""
    found = await runs.find_report(resources.pool, actor, plan, number)
    return {
        **{one.name: getattr(found, one.name) for one in fields(found)},
        "timezone": found.tenant.timezone,
        "can_be_read": found.tenant.subscription in {"active", "ending"}
        and found.plan.last_run is not None,
    }


@router.get("/plans/{plan}/changes")
async def show_changes(
    plan: str,
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    between: Compared,
) -> Response:
    """What two restore points have otherwise, folder by folder."""
    return await render_changes(request, person, resources, person.at(address), plan, between)


async def render_changes(
    request: Request,
    person: Person,
    resources: Resources,
    actor: Actor,
    plan: str,
    between: Between,
) -> Response:
    """The page of changes, to its client and to operators alike."""
    found = await runs.compare(
        resources.pool,
        actor,
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
        plan_page=pages_of(actor, found.plan.plan_id),
        changes=shown,
        crumbs=names.crumbs(found.path),
        onward=shown[-1].name if len(found.changes) > CHANGES_SHOWN else None,
        join_path=join_path,
    )
