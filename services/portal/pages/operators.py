"""The provider's operators: let in, given a duty, given another password, let go."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.events import Locale
from libs.shared.words.tongue import N_
from services.portal.actions import operators
from services.portal.actions.operators import Issued
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, field, line
from services.portal.rules.log.chain import Duty
from services.portal.rules.people import Person

router = APIRouter()

NAMES: dict[Duty, str] = {
    "administrator": N_("Administrator"),
    "sales": N_("Sales and billing"),
    "hotline": N_("Hotline"),
}
DOES: dict[Duty, str] = {
    "administrator": N_("may do everything"),
    "sales": N_("reads; orders for clients, prices, closes months"),
    "hotline": N_("reads; looks after incidents, writes notes"),
}
UNSETTLED = N_(
    "Your password was issued by somebody else less than 7 days ago: another operator confirms."
)
_SAID = {
    "saved": N_("Saved."),
    "closed": N_("The account is closed: signed out everywhere, at once."),
    "last-operator": N_("No other operator is an administrator: make another one first."),
    "conflict": N_("This address already has an account."),
    "incomplete": N_("A name and a mail address are needed."),
}
_PROBLEMS = frozenset({"last-operator", "conflict", "incomplete"})


def _back(said: str) -> Response:
    return RedirectResponse(f"/operators?{urlencode({'said': said})}", 303)


@router.get("/operators")
async def list_operators(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every operator with their duty."""
    return await _show(request, operator, resources, address, said=said)


@router.post("/operators")
async def let_in(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Lets another operator in; the one-time password is shown this once."""
    form = await sessions.read_form(request, resources)
    name, email = line(form, "name"), line(form, "email", 320)
    if not name or "@" not in email:
        return _back("incomplete")
    locale: Locale = "en" if field(form, "locale") == "en" else "fr"
    try:
        issued = await operators.let_in(
            resources.pool,
            resources.passwords,
            operator.at(address),
            name=name,
            email=email,
            locale=locale,
            duty=_read_duty(field(form, "duty")),
        )
    except errors.Conflict:
        return _back("conflict")
    return await _show(request, operator, resources, address, issued=issued)


@router.post("/operators/{user_id}/{change}")
async def change(
    user_id: UUID,
    change: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Gives an operator another duty or password, or closes the account."""
    form = await sessions.read_form(request, resources)
    actor = operator.at(address)
    try:
        match change:
            case "duty":
                duty = _read_duty(field(form, "duty"))
                await operators.change(resources.pool, actor, user_id, None, duty)
            case "reset":
                issued = await operators.reset(resources.pool, resources.passwords, actor, user_id)
                return await _show(request, operator, resources, address, issued=issued)
            case "close":
                await operators.let_go(resources.pool, actor, user_id)
                return _back("closed") if user_id != operator.user_id else _back("")
            case _:
                raise errors.NotFound
    except errors.Refusal as refusal:
        if refusal.code not in _SAID:
            raise
        return _back(refusal.code)
    return _back("saved")


def _read_duty(text: str) -> Duty:
    """A duty of a form's field; raises InvalidRequest."""
    for duty in NAMES:
        if duty == text:
            return duty
    raise errors.InvalidRequest("The duty is administrator, sales or hotline.")


async def _show(
    request: Request,
    operator: Person,
    resources: Resources,
    address: str,
    *,
    issued: Issued | None = None,
    said: str = "",
) -> Response:
    found = await operators.list_operators(resources.pool, operator.at(address))
    return render(
        request,
        "operators_list.html",
        operator,
        operators=found,
        duties=NAMES,
        does=DOES,
        issued=issued,
        said=_SAID.get(said, ""),
        is_problem=said in _PROBLEMS,
    )
