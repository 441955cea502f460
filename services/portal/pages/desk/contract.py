"""A client's contract: its history, orders, what is due, and each act with what it will do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import clock, errors
from libs.shared.events import DESTRUCTION_AFTER
from libs.shared.words.tongue import N_, find_zone
from services.portal.actions import approvals, desk, overages
from services.portal.actions.clients import subscription
from services.portal.actions.orders import ordering
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.desk.one import PROBLEMS, SAID, Said, back
from services.portal.pages.desk.plans import read_day
from services.portal.pages.orders import clients as orders
from services.portal.pages.orders.clients import REFUSALS, Counter, Wanted
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules.clients import STEPS, Step
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.refusals import NothingToRevise
from services.portal.store.approvals import Approval

router = APIRouter()

_STEPS: dict[str, Step] = {
    "end": "end",
    "suspend": "suspend",
    "resume": "resume",
    "reinstate": "reinstate",
}
_PROBLEMS = {
    "reason-missing": SAID["reason-missing"],
    "name-wrong": N_("Type the client’s name just as it stands here: this ends its backups."),
    "day-over": N_("The day of the end must lie ahead."),
    "end-too-near": N_(
        "For a day this near it takes two operators: choose one at least 7 days ahead, or end it "
        "now, which another operator confirms."
    ),
    "subscription-state": N_("Not possible in the present state of the subscription."),
    "maintenance-over": N_("The maintenance of the backup software is over: renew it first."),
    "destruction-begun": N_("The destruction of the data has begun: it can't be taken back."),
}


async def find_step(step: str) -> Step:
    """The step that an address names; raises NotFound for any other word."""
    if step not in _STEPS:
        raise errors.NotFound
    return _STEPS[step]


Stepping = Annotated[Step, Depends(find_step)]


@router.get("/clients/{tenant_id}/contract")
async def show_contract(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Said = "",
) -> Response:
    """The contract with its history."""
    found = await desk.view_contract(resources.pool, operator.at(address), tenant_id)
    state = found.tenant.subscription
    return render(
        request,
        "client_contract.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        found=found,
        steps=[step for step in _STEPS if state in STEPS[_STEPS[step]][0]],
        said=SAID.get(said, ""),
        is_problem=said in PROBLEMS,
    )


@router.get("/clients/{tenant_id}/subscription/{step}")
async def ask_step(
    tenant_id: UUID,
    step: Stepping,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What a step will do, before it is taken."""
    found = await desk.view_contract(resources.pool, operator.at(address), tenant_id)
    tenant, now = found.tenant, clock.now()
    zone = find_zone(tenant.timezone)
    return render(
        request,
        "subscription_step.html",
        operator,
        status=422 if problem in _PROBLEMS else 200,
        timezone=tenant.timezone,
        tenant=tenant,
        step=step,
        is_possible=tenant.subscription in STEPS[step][0],
        destruction_at=now + DESTRUCTION_AFTER,
        end_of_month=Month.of(now, zone).next.begins_at(zone) - timedelta(days=1),
        with_four_eyes=step in resources.four_eyes,
        problem=_PROBLEMS.get(problem, ""),
    )


@router.post("/clients/{tenant_id}/subscription/{step}")
async def take_step(
    tenant_id: UUID,
    step: Stepping,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Ends, suspends, resumes or reinstates a subscription.

    To end it now takes the client's name; to end it with a day doesn't."""
    form, actor = sent.fields, sent.actor
    reason = line(form, "reason")
    here = f"/clients/{tenant_id}/subscription/{step}"
    if not reason:
        return RedirectResponse(f"{here}?problem=reason-missing", 303)
    asked = False
    try:
        if step == "end" and field(form, "when") == "day":
            await _announce_end(resources, actor, tenant_id, reason, field(form, "until"))
        elif step == "end":
            found = await desk.view_contract(resources.pool, actor, tenant_id)
            if line(form, "name").casefold() != found.tenant.name.casefold():
                return RedirectResponse(f"{here}?problem=name-wrong", 303)
            ended = await approvals.end(resources, actor, tenant_id, reason)
            asked = isinstance(ended, Approval)
        else:
            await subscription.step_subscription(resources.pool, actor, tenant_id, step, reason)
    except errors.Refusal as refusal:
        if refusal.code not in _PROBLEMS:
            raise
        return RedirectResponse(f"{here}?problem={refusal.code}", 303)
    return back(tenant_id, "asked" if asked else "", "/contract")


class _DayOver(errors.Refusal):
    """An end can't be announced for a day that is over."""

    code = "day-over"
    status = 422
    title = "The day of the end must lie ahead"


async def _announce_end(
    resources: ResourcesOf, actor: Actor, tenant_id: UUID, reason: str, day: str
) -> None:
    """Announces that a subscription ends with the end of a day, by the client's clock."""
    found = await desk.view_contract(resources.pool, actor, tenant_id)
    zone = find_zone(found.tenant.timezone)
    last = read_day(day) + timedelta(days=1)
    ends_at = datetime.combine(last, time(), zone).astimezone(UTC)
    if ends_at <= clock.now():
        raise _DayOver
    await approvals.announce_end(resources, actor, tenant_id, reason, ends_at)


def _counter(tenant_id: UUID) -> Counter:
    here = f"/clients/{tenant_id}"
    return Counter(tenant_id, f"{here}/contract", f"{here}/orders", is_for_client=True)


@router.get("/clients/{tenant_id}/orders/preview")
async def preview_order(
    tenant_id: UUID, request: Request, operator: Operator, address: Address, wish: Wanted
) -> Response:
    """What an order for the client would cost, and the button that orders it."""
    at = _counter(tenant_id)
    return await orders.preview(request, operator, operator.at(address), at, wish)


@router.post("/clients/{tenant_id}/orders")
async def place_order(
    tenant_id: UUID, request: Request, operator: Operator, sent: Sent
) -> Response:
    """Orders what the preview showed, once."""
    return await orders.place(request, operator, sent.actor, _counter(tenant_id), sent.fields)


@router.post("/clients/{tenant_id}/orders/allowed")
async def allow_orders(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Lets the client's administrators order themselves, or not."""
    allowed = field(sent.fields, "allowed") == "yes"
    await ordering.allow_orders(resources.pool, sent.actor, tenant_id, allowed=allowed)
    return back(tenant_id, "saved", "/contract")


@router.post("/clients/{tenant_id}/orders/revise")
async def revise(
    tenant_id: UUID, request: Request, operator: Operator, sent: Sent, resources: ResourcesOf
) -> Response:
    """Raises the contract to the next size that holds what is stored, in the provider's name."""
    reason, clause = line(sent.fields, "reason"), line(sent.fields, "clause")
    if not reason or not clause:
        return back(tenant_id, "reason-missing", "/contract")
    try:
        await ordering.revise(resources.pool, sent.actor, tenant_id, reason, clause)
    except NothingToRevise:
        return back(tenant_id, "nothing-to-revise", "/contract")
    except tuple(REFUSALS) as refusal:
        return orders.refuse(request, operator, _counter(tenant_id), refusal)
    return back(tenant_id, "saved", "/contract")


@router.post("/clients/{tenant_id}/quota/{decision}")
async def decide_growth(
    tenant_id: UUID,
    decision: Literal["extend", "block", "unblock"],
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Moves the deadline of an overage case, stops growth, or lets it go on."""
    actor, reason = sent.actor, line(sent.fields, "reason")
    if not reason:
        return back(tenant_id, "reason-missing", "/contract")
    try:
        if decision == "unblock":
            done = await approvals.unblock(resources, actor, tenant_id, reason)
            said = "asked" if isinstance(done, Approval) else "unblocked"
            return back(tenant_id, said, "/contract")
        until = None
        if decision == "extend":
            until = datetime.combine(read_day(field(sent.fields, "until")), time(23, 59), UTC)
        await overages.decide(resources.pool, actor, tenant_id, decision, reason, until)
    except errors.Refusal as refusal:
        if refusal.code not in PROBLEMS:
            raise
        return back(tenant_id, refusal.code, "/contract")
    return back(tenant_id, "blocked" if decision == "block" else "extended", "/contract")
