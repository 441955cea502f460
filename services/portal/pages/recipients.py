"""Who gets a plan's reports, and the page behind the link of an invitation."""

from __future__ import annotations

from typing import Annotated, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.events import Locale
from libs.shared.words.tongue import N_
from services.portal.actions import recipients
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Administrator, field, line
from services.portal.rules.recipients import (
    EVERY_PLAN,
    AlreadyAsked,
    ClientAdds,
    InvitationsSpent,
    NotAnAddress,
    RecipientDeclined,
    RecipientsFull,
    State,
)

router = APIRouter()

STATES: dict[State, str] = {
    "account": N_("Gets the reports; has an account here"),
    "set": N_("Gets the reports"),
    "accepted": N_("Gets the reports; accepted by mail"),
    "asked": N_("Was asked by mail, has not answered yet"),
    "declined": N_("Declined: is not written to any more"),
    "removed": N_("Removed: gets no reports"),
    "unknown": N_("Named by the machine; gets nothing before you decide"),
}
_REFUSED = (NotAnAddress, RecipientsFull, RecipientDeclined, AlreadyAsked, InvitationsSpent)
REFUSALS: dict[str, str] = {
    NotAnAddress.code: N_("This is no mail address."),
    ClientAdds.code: N_(
        "Here it takes two operators to see what a client’s files are called, and reports name "
        "some: let an administrator of the client add who gets them."
    ),
    RecipientsFull.code: N_(
        "The plan has as many recipients without an account as it may: remove one first, or use "
        "the address of a group."
    ),
    RecipientDeclined.code: N_("This person does not want these reports."),
    AlreadyAsked.code: N_("This person was asked already: let them answer."),
    InvitationsSpent.code: N_("Enough addresses were asked for today: ask more tomorrow."),
}


@router.get("/plans/{plan}/recipients")
async def show_recipients(
    request: Request,
    plan: str,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every address with what counts for it, and a button for each decision."""
    shown = await recipients.list_recipients(resources.pool, person.at(address), plan)
    return render(
        request,
        "recipients.html",
        person,
        plan=shown.plan,
        is_all=shown.plan.plan_id == EVERY_PLAN,
        entries=shown.entries,
        pending=sum(entry.is_pending for entry in shown.entries),
        states=STATES,
        problem=REFUSALS.get(problem, ""),
    )


@router.post("/plans/{plan}/recipients")
async def change_recipients(
    request: Request, plan: str, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Adds, asks or removes one address."""
    form = await sessions.read_form(request, resources)
    actor, email = person.at(address), line(form, "email", 320)
    locales: tuple[Locale, ...] = get_args(Locale)
    locale = next((one for one in locales if one == field(form, "locale")), None)
    target = f"/plans/{plan}/recipients"
    try:
        match field(form, "change"):
            case "add":
                await recipients.add_recipient(resources.pool, actor, plan, email, locale)
            case "ask":
                await recipients.ask_recipient(resources.pool, actor, plan, email, locale)
            case "remove":
                await recipients.remove_recipient(resources.pool, actor, plan, email)
            case _:
                raise errors.InvalidRequest("The change is add, ask or remove.")
    except _REFUSED as refusal:
        target += "?" + urlencode({"problem": refusal.code})
    return RedirectResponse(target, 303)


@router.get("/invitations/{token}")
async def show_invitation(
    request: Request, token: str, resources: ResourcesOf, address: Address
) -> Response:
    """What the link asks; programs that follow links of mails answer nothing by that."""
    question = await recipients.find_question(resources.pool, resources.mail_key, token, address)
    return render(
        request,
        "invitation.html",
        None,
        client=question.tenant.name,
        email=question.invitation.email,
        state=question.invitation.state,
    )


@router.post("/invitations/{token}")
async def answer_invitation(
    request: Request, token: str, resources: ResourcesOf, address: Address
) -> Response:
    """The answer that the page's buttons give."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    is_accepted = field(form, "answer") == "yes"
    await recipients.answer(resources.pool, resources.mail_key, token, address, accept=is_accepted)
    return RedirectResponse(f"/invitations/{token}", 303)
