"""A client's machines, for its administrators: who joined, codes for others, what is withdrawn."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from services.portal.actions import machines, packages
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Administrator
from services.portal.rules.machines import name_platform
from services.portal.rules.packages import blocks

router = APIRouter()


@router.get("/machines")
async def list_machines(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Every machine with when it was heard of last, and the codes that are open."""
    return await _show(request, person, resources, address)


@router.post("/machines/codes")
async def open_code(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Shows a one-time code, this once, with what to paste; loading it again makes none."""
    form = await sessions.read_form(request, resources)
    label, key, actor = sessions.line(form, "label"), sessions.key(form), person.at(address)
    try:
        enrolment = await machines.open_enrolment(
            resources.pool, actor, actor.tenant_id, label, key
        )
    except (machines.NotEnrollable, machines.CodeShown) as refusal:
        return await _show(request, person, resources, address, problem=refusal)
    release = await packages.find_release(resources)
    addresses = resources.portal_url, resources.ingest_url
    found = await machines.list_machines(resources.pool, actor, actor.tenant_id)
    return render(
        request,
        "machine_code.html",
        person,
        timezone=found.tenant.timezone,
        enrolment=enrolment,
        label=label,
        joined=len(found.machines),
        pasted=blocks(release, *addresses, enrolment.code) if release else [],
        ingest_url=resources.ingest_url,
        portal_url=resources.portal_url,
    )


@router.post("/machines/codes/{enrolment_id}/withdraw")
async def withdraw_code(
    enrolment_id: UUID,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Takes a code back; one that was used meanwhile is gone from the list all the same."""
    await sessions.read_form(request, resources)
    actor = person.at(address)
    await machines.withdraw_code(resources.pool, actor, actor.tenant_id, enrolment_id)
    return RedirectResponse("/machines", 303)


@router.get("/machines/{agent_id}/revoke")
async def ask_revocation(
    agent_id: UUID,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Asks with the machine's name before its token is withdrawn."""
    machine = await machines.find_machine(resources.pool, person.at(address), agent_id)
    return render(request, "machine_revoke.html", person, machine=machine, problem="")


@router.post("/machines/{agent_id}/revoke")
async def revoke(
    agent_id: UUID,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Withdraws a machine's token, where its name was typed."""
    form = await sessions.read_form(request, resources)
    actor = person.at(address)
    machine = await machines.find_machine(resources.pool, actor, agent_id)
    typed = sessions.line(form, "hostname")
    if typed.casefold() != " ".join(machine.hostname.split()).casefold():
        return render(
            request, "machine_revoke.html", person, status=422, machine=machine, problem=typed
        )
    await machines.revoke_agent(resources.pool, actor, agent_id, actor.tenant_id)
    return RedirectResponse("/machines", 303)


async def _show(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: str,
    *,
    problem: errors.Refusal | None = None,
) -> Response:
    actor = person.at(address)
    found = await machines.list_machines(resources.pool, actor, actor.tenant_id)
    return render(
        request,
        "machines.html",
        person,
        status=problem.status if problem else 200,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        machines=found.machines,
        codes=found.codes,
        pulse=found.pulse,
        key=uuid4(),
        name_platform=name_platform,
        problem=problem.code if problem else "",
    )
