"""One client, with what can be done about its machines, people and plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions import approvals, desk, machines, notes, packages, runs
from services.portal.actions.clients.opening import EmailTaken
from services.portal.actions.machines import Enrolment
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.home import judge
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules.log.chain import Actor
from services.portal.rules.machines import name_platform
from services.portal.rules.orders.refusals import OrderRefused
from services.portal.rules.packages import Block, blocks
from services.portal.rules.people import Person
from services.portal.rules.recipients import NotAnAddress
from services.portal.rules.users import ClientOpens, LastAdministrator, SeatsUsed

router = APIRouter()

CAUSES: dict[str, str] = {
    "failed": N_("Failed"),
    "abandoned": N_("Broken off"),
    "refused": N_("Refused"),
    "missed": N_("Missed"),
    "damage": N_("Damaged"),
    "unusual": N_("Unusual"),
    "undeliverable": N_("Undeliverable"),
    "parked": N_("Event waits"),
    "waiting": N_("Destruction waits"),
    "called": N_("Call wanted"),
    "help": N_("Help wanted"),
}
SAID: dict[str, str] = {
    "asked": N_("Another operator has to confirm this: it waits among what to look after."),
    "sent": N_("A new one-time password is on its way by mail; the old password ended at once."),
    "cleared": N_("Noted: versions of this plan expire again."),
    "unblocked": N_("Noted: the client may grow again within a moment."),
    "blocked": N_("Noted: growth stops within a moment."),
    "extended": N_("Noted: the deadline is moved within a moment."),
    "reason-missing": N_("Say why: the client will read it."),
    "not-enrollable": N_("Not possible in the present state of the subscription."),
    machines.CodeShown.code: N_(
        "That code was shown once. If it is lost, take it back below and ask for another one."
    ),
    "no-open-case": N_("No more is stored than is contracted: there is nothing to extend."),
    "deadline-too-early": N_("The new deadline must be later than the present one."),
    "nothing-to-revise": N_("The contract holds what is stored already."),
    "saved": N_("Saved."),
    "opened": N_("The account is open: a one-time password is on its way by mail."),
    "closed": N_("The account is closed, and its seat is free."),
    "signed-out": N_("Signed out everywhere, at once; tokens of programs have ended too."),
    NotAnAddress.code: N_("A name and a mail address are needed."),
    EmailTaken.code: N_("This address has an account already."),
    ClientOpens.code: N_(
        "Here it takes two operators to get at a client’s account: let an administrator of the"
        " client open it."
    ),
    SeatsUsed.code: N_("All seats are taken: order one more, or close an account."),
    OrderRefused.code: N_("In the present state of the subscription no account can be opened."),
    LastAdministrator.code: N_("Somebody must stay administrator: make a colleague one first."),
}
PROBLEMS = frozenset(
    {
        "reason-missing",
        "not-enrollable",
        machines.CodeShown.code,
        "no-open-case",
        "deadline-too-early",
        "nothing-to-revise",
        NotAnAddress.code,
        EmailTaken.code,
        SeatsUsed.code,
        ClientOpens.code,
        OrderRefused.code,
        LastAdministrator.code,
    }
)
_LONGEST_NOTE = 2_000
_LOOKED_AT = 3

Said = Annotated[str, Query(max_length=40)]


def back(tenant_id: UUID, said: str = "", place: str = "") -> Response:
    """Leads back to a client's page, which says what was done."""
    query = f"?{urlencode({'said': said})}" if said else ""
    return RedirectResponse(f"/clients/{tenant_id}{place}{query}", 303)


@router.get("/clients/{tenant_id}")
async def show_client(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Said = "",
) -> Response:
    """One client."""
    return await _show(request, operator, resources, operator.at(address), tenant_id, said=said)


@router.post("/clients/{tenant_id}/enrolments")
async def open_enrolment(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Shows a one-time code, this once; loading it again makes none."""
    label, key = line(sent.fields, "label"), sessions.key(sent.fields)
    try:
        enrolment = await machines.open_enrolment(resources.pool, sent.actor, tenant_id, label, key)
    except machines.NotEnrollable:
        return back(tenant_id, "not-enrollable")
    except machines.CodeShown as refusal:
        return back(tenant_id, refusal.code)
    release = await packages.find_release(resources)
    pasted = []
    if release is not None:
        pasted = blocks(release, resources.portal_url, resources.ingest_url, enrolment.code)
    return await _show(
        request,
        operator,
        resources,
        sent.actor,
        tenant_id,
        enrolment=enrolment,
        label=label,
        pasted=pasted,
    )


@router.post("/clients/{tenant_id}/enrolments/{enrolment_id}/withdraw")
async def withdraw_code(
    tenant_id: UUID,
    enrolment_id: UUID,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Lets no machine in by a code any more."""
    await machines.withdraw_code(resources.pool, sent.actor, tenant_id, enrolment_id)
    return back(tenant_id)


@router.get("/clients/{tenant_id}/agents/{agent_id}/revoke")
async def ask_revocation(
    tenant_id: UUID,
    agent_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """What revoking a machine means, with the button that does it."""
    found = await desk.view_client(resources.pool, operator.at(address), tenant_id, 1)
    agents = [one for one in found.agents if one.agent_id == agent_id]
    if not agents:
        raise errors.NotFound("agent")
    return render(
        request,
        "revoke.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        agent=agents[0],
        plans=[plan for plan in found.plans if plan.agent_id == agent_id],
    )


@router.post("/clients/{tenant_id}/agents/{agent_id}/revoke")
async def revoke_agent(
    tenant_id: UUID,
    agent_id: UUID,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Withdraws a machine's token."""
    await machines.revoke_agent(resources.pool, sent.actor, agent_id)
    return back(tenant_id)


@router.post("/clients/{tenant_id}/notes")
async def write_note(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Keeps a note for the other operators."""
    text = field(sent.fields, "text").strip().replace("\0", "")[:_LONGEST_NOTE]
    if text:
        await notes.write(resources.pool, sent.actor, tenant_id, text)
    return RedirectResponse(f"/clients/{tenant_id}#notes", 303)


@router.post("/clients/{tenant_id}/notes/{note_id}/remove")
async def remove_note(
    tenant_id: UUID,
    note_id: UUID,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Takes a note away."""
    await notes.remove(resources.pool, sent.actor, tenant_id, note_id)
    return RedirectResponse(f"/clients/{tenant_id}#notes", 303)


@router.post("/clients/{tenant_id}/plans/{plan}/clear")
async def clear_holds(
    tenant_id: UUID,
    plan: str,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Says that what was unusual of a plan was meant."""
    reason = line(sent.fields, "reason")
    if not reason:
        return back(tenant_id, "reason-missing")
    await runs.clear_holds(resources.pool, sent.actor, tenant_id, plan, reason)
    return back(tenant_id, "cleared")


async def _show(
    request: Request,
    operator: Person,
    resources: Resources,
    actor: Actor,
    tenant_id: UUID,
    *,
    enrolment: Enrolment | None = None,
    label: str = "",
    pasted: Sequence[Block] = (),
    said: str = "",
) -> Response:
    found = await desk.view_client(resources.pool, actor, tenant_id, _LOOKED_AT)
    last = {
        plan_id: next((run for run in of_plan if run.outcome), None)
        for plan_id, of_plan in found.runs.items()
    }
    return render(
        request,
        "client.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        causes=CAUSES,
        found=found,
        volume=found.volume,
        last=last,
        enrolment=enrolment,
        key=uuid4(),
        label=label,
        pasted=pasted,
        ingest_url=resources.ingest_url,
        portal_url=resources.portal_url,
        name_platform=name_platform,
        said=SAID.get(said, ""),
        is_problem=said in PROBLEMS,
        guarded=approvals.guards_people(resources),
        **judge(found),
    )
