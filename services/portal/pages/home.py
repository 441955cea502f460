"""What a client sees first: is everything all right? Then what waits, the volume, each plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.portal.actions import home
from services.portal.actions.runs import Overview
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.rendering import HEADERS, render
from services.portal.pages.sessions import Anybody, Reader, SignInFirst, own_path
from services.portal.rules import runs
from services.portal.rules.runs import Mood, RunDay
from services.portal.store.runs.shown import Plan, Run

router = APIRouter()

_OF_ADDRESSES = ":/%#?=@[]!$&'()*+,;~"
_LOOKED_AT = 3
"""Runs of each plan: the last that finished is among them, for a machine has one under way."""


@dataclass(frozen=True)
class Row:
    """A plan on the first page; last: its last run that finished."""

    plan: Plan
    mood: Mood
    last: Run | None
    is_running: bool
    late_since: datetime | None
    last_good: datetime | None
    next_due: datetime | None
    strip: list[RunDay]


@router.get("/")
async def show_home(
    request: Request, reader: Reader, resources: ResourcesOf, address: Address
) -> Response:
    """Everything at a glance; operators go to their clients."""
    if reader is None:
        raise SignInFirst
    if reader.tenant_id is None:
        return RedirectResponse("/queue", 303)
    found = await home.view(resources.pool, reader, address, _LOOKED_AT)
    tenant = found.overview.tenant
    return render(
        request,
        "home.html",
        reader,
        timezone=tenant.timezone,
        tenant=tenant,
        found=found,
        overview=found.overview,
        is_open=tenant.subscription in {"active", "ending"},
        plans_at="/plans",
        **judge(found.overview),
    )


def judge(overview: Overview) -> dict[str, Any]:
    """What the sentence of verdict is made of, for the client and its operators alike."""
    every = _sort(overview)
    rows = [row for row in every if row.plan.withdrawn_at is None]
    return {
        "rows": rows,
        "withdrawn": [row for row in every if row.plan.withdrawn_at is not None],
        "mood": overview.mood,
        "servers": len({row.plan.agent_id for row in rows if row.mood != "waiting"}),
        "newest": max((row.last_good for row in rows if row.last_good), default=None),
        "soonest": min((row.next_due for row in rows if row.next_due), default=None),
    }


@router.get("/pulse")
async def feel_pulse(
    person: Anybody, resources: ResourcesOf, seen: str = "", then: str = "", joined: bool = False
) -> Response:
    """Has the page that asks load itself again, or go on, if something has changed since then.

    joined: only if a machine has joined.
    """
    headers = dict(HEADERS)
    if await home.find_pulse(resources.pool, person, of_machines=joined) != seen:
        headers |= (
            {"HX-Redirect": quote(own_path(then), safe=_OF_ADDRESSES)}
            if then
            else {"HX-Refresh": "true"}
        )
    return Response(headers=headers)


def _sort(overview: Overview) -> list[Row]:
    """What needs somebody first, and then by name, as the plans came."""
    rows = []
    for plan in overview.plans:
        newest = overview.runs[plan.plan_id]
        rows.append(
            Row(
                plan,
                overview.judge(plan),
                overview.find_last(plan),
                bool(newest) and newest[0].outcome is None,
                overview.late.get(plan.plan_id),
                overview.last_good.get(plan.plan_id),
                overview.next_due[plan.plan_id],
                overview.strips[plan.plan_id],
            )
        )
    return sorted(rows, key=lambda row: runs.rank(row.mood))
