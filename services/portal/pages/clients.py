"""Pages for the provider's operators: clients at a glance, one client, what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from services.portal.actions import machines, packages
from services.portal.actions.clients import opening, subscription
from services.portal.actions.machines import Enrolment
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, line
from services.portal.rules.clients import STEPS, Step
from services.portal.rules.packages import Block, blocks
from services.portal.rules.people import Person

router = APIRouter()

_STEPS: dict[str, Step] = {
    "end": "end",
    "suspend": "suspend",
    "resume": "resume",
    "reinstate": "reinstate",
}


@router.get("/clients")
async def list_clients(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Every client with its state."""
    found = await opening.list_tenants(resources.pool, operator.at(address))
    return render(request, "clients.html", operator, clients=found)


@router.get("/clients/{tenant_id}")
async def show_client(
    tenant_id: UUID, request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """One client."""
    return await _show(request, operator, resources, address, tenant_id)


@router.post("/clients/{tenant_id}/enrolments")
async def open_enrolment(
    tenant_id: UUID, request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Shows a one-time code, this once."""
    form = await sessions.read_form(request, resources)
    label = line(form, "label")
    try:
        enrolment = await machines.open_enrolment(
            resources.pool, operator.at(address), tenant_id, label
        )
    except machines.NotEnrollable as refusal:
        return await _show(request, operator, resources, address, tenant_id, problem=refusal)
    release = await packages.find_release(resources)
    pasted = []
    if release is not None:
        pasted = blocks(release, resources.portal_url, resources.ingest_url, enrolment.code)
    return await _show(
        request,
        operator,
        resources,
        address,
        tenant_id,
        enrolment=enrolment,
        label=label,
        pasted=pasted,
    )


@router.post("/clients/{tenant_id}/agents/{agent_id}/revoke")
async def revoke_agent(
    tenant_id: UUID,
    agent_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Withdraws a machine's token."""
    await sessions.read_form(request, resources)
    await machines.revoke_agent(resources.pool, operator.at(address), agent_id)
    return RedirectResponse(f"/clients/{tenant_id}", 303)


@router.post("/clients/{tenant_id}/{step}")
async def step_subscription(
    tenant_id: UUID,
    step: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Ends, suspends, resumes or reinstates a subscription."""
    if step not in _STEPS:
        raise errors.NotFound
    form = await sessions.read_form(request, resources)
    reason = line(form, "reason")
    if not reason:
        return await _show(
            request, operator, resources, address, tenant_id, problem=ReasonMissing()
        )
    try:
        await subscription.step_subscription(
            resources.pool, operator.at(address), tenant_id, _STEPS[step], reason
        )
    except errors.Refusal as refusal:
        if refusal.status != 409:
            raise
        return await _show(request, operator, resources, address, tenant_id, problem=refusal)
    return RedirectResponse(f"/clients/{tenant_id}", 303)


class ReasonMissing(errors.Refusal):
    """The client is told why; so somebody must say it."""

    code = "reason-missing"
    status = 422
    title = "Say why: the client will read it"


async def _show(
    request: Request,
    operator: Person,
    resources: Resources,
    address: str,
    tenant_id: UUID,
    *,
    enrolment: Enrolment | None = None,
    label: str = "",
    pasted: Sequence[Block] = (),
    problem: errors.Refusal | None = None,
) -> Response:
    found = await opening.view_tenant(resources.pool, operator.at(address), tenant_id)
    possible = [step for step in _STEPS if found.tenant.subscription in STEPS[_STEPS[step]][0]]
    return render(
        request,
        "client.html",
        operator,
        status=problem.status if problem else 200,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        people=found.people,
        agents=found.agents,
        volume=found.volume,
        plans=found.plans,
        last=found.last,
        late=found.late,
        steps=possible,
        enrolment=enrolment,
        label=label,
        pasted=pasted,
        ingest_url=resources.ingest_url,
        portal_url=resources.portal_url,
        problem=problem,
    )
