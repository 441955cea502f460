"""Opening a client by a form, and changing what its contract says beside volume and seats."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions import approvals, desk, recipients
from services.portal.actions.clients import opening, terms
from services.portal.actions.clients.opening import EmailTaken
from services.portal.actions.recipients import ALL
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.clients import TenantRequest, TermsRequest
from services.portal.pages.desk.one import PROBLEMS, SAID, Said, back
from services.portal.pages.recipients import REFUSALS, STATES
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules import operators
from services.portal.rules.approvals import EndTooNear
from services.portal.rules.log import acts
from services.portal.rules.orders.prices import NoPrice, SizeNotOffered
from services.portal.rules.people import Person

router = APIRouter()

_GIGABYTE = 10**9
_FIELDS: dict[str, str] = {
    "name": N_("A name of one line, up to 200 characters."),
    "timezone": N_("A time zone such as Europe/Paris."),
    "contracted_bytes": N_("A whole number of GB."),
    "seats": N_("At least one seat."),
    "retention_days": N_("Between 1 and 36,500 days."),
    "administrator.name": N_("A name of one line, up to 200 characters."),
    "administrator.email": N_("A mail address."),
    "maintenance_until": N_("A day."),
    EndTooNear.code: N_(
        "For a day this near it takes two operators: choose one at least 7 days ahead, or end it "
        "now, which another operator confirms."
    ),
}
_TAKEN = N_("This address already has an account.")
_UNPRICED = N_("The price list has no price for so much storage now.")
_ZONES = sorted(zone for zone in available_timezones() if zone.startswith(("Europe/", "America/")))


@router.get("/clients/new")
async def show_form(request: Request, operator: Operator) -> Response:
    """The form of a new client."""
    operators.check(operator.duty, acts.TenantOpened)
    values = {"locale": "fr", "timezone": "Europe/Paris", "seats": "1", "retention_days": "30"}
    return _ask(request, operator, values, {})


@router.post("/clients/new")
async def open_client(
    request: Request, operator: Operator, sent: Sent, resources: ResourcesOf
) -> Response:
    """Opens a client; its administrator gets a first password by mail."""
    values = {name: value for name, value in sent.fields.items() if isinstance(value, str)}
    try:
        asked = TenantRequest.model_validate(_read(sent.fields))
    except ValidationError as error:
        return _ask(request, operator, values, _find_problems(error))
    try:
        tenant_id = await opening.open_tenant(
            resources.pool,
            resources.passwords,
            resources.mail_key,
            sent.actor,
            asked.terms,
        )
    except EmailTaken:
        return _ask(request, operator, values, {"administrator.email": _TAKEN}, 409)
    except (NoPrice, SizeNotOffered):
        return _ask(request, operator, values, {"contracted_bytes": _UNPRICED}, 409)
    return RedirectResponse(f"/clients/{tenant_id}", 303)


def _read(form: FormData) -> dict[str, Any]:
    volume = field(form, "contracted_gb").strip()
    is_number = volume.isascii() and volume.isdecimal() and len(volume) < 10
    return {
        "name": field(form, "name"),
        "locale": field(form, "locale"),
        "timezone": field(form, "timezone"),
        "contracted_bytes": int(volume) * _GIGABYTE if is_number else None,
        "seats": field(form, "seats"),
        "retention_days": field(form, "retention_days"),
        "administrator": {
            "name": field(form, "administrator_name"),
            "email": field(form, "administrator_email").strip(),
        },
        "maintenance_until": field(form, "maintenance_until") or None,
    }


def _find_problems(error: ValidationError) -> dict[str, str]:
    """What each field wants that isn't right, by its place."""
    places = [".".join(map(str, one["loc"])) for one in error.errors()]
    return {place: _FIELDS.get(place, N_("This is not right.")) for place in places}


def _ask(
    request: Request,
    operator: Person,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    status: int = 422,
) -> Response:
    return render(
        request,
        "client_new.html",
        operator,
        status=status if problems else 200,
        values=values,
        problems=problems,
        zones=_ZONES,
    )


@router.get("/clients/{tenant_id}/terms")
async def show_terms(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Said = "",
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Name, language, time zone, retention; who gets the reports; the software's maintenance."""
    found = await desk.view_client(resources.pool, operator.at(address), tenant_id, 1)
    shown = await recipients.list_recipients(
        resources.pool, operator.at(address).within(tenant_id), ALL
    )
    return render(
        request,
        "client_terms.html",
        operator,
        timezone=found.tenant.timezone,
        tenant=found.tenant,
        entries=shown.entries,
        states=STATES,
        zones=sorted({*_ZONES, found.tenant.timezone}),
        said=SAID.get(said, ""),
        is_problem=said in PROBLEMS,
        problem=REFUSALS.get(problem, _FIELDS.get(problem, "")),
    )


@router.post("/clients/{tenant_id}/terms")
async def change_terms(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Sets name, language, time zone and retention, and tells every service."""
    names = ("name", "locale", "timezone", "retention_days")
    try:
        asked = TermsRequest.model_validate({name: field(sent.fields, name) for name in names})
    except ValidationError as error:
        place = next(iter(_find_problems(error)))
        return RedirectResponse(f"/clients/{tenant_id}/terms?problem={place}", 303)
    await terms.change_terms(
        resources.pool, sent.actor, tenant_id, **asked.model_dump(exclude_none=True)
    )
    return back(tenant_id, "saved", "/terms")


@router.post("/clients/{tenant_id}/recipients")
async def change_recipients(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Adds or removes an address that gets the reports of all plans."""
    actor, email = sent.actor.within(tenant_id), line(sent.fields, "email", 320)
    try:
        if field(sent.fields, "change") == "remove":
            await recipients.remove_recipient(resources.pool, actor, ALL, email)
        else:
            await approvals.add_recipient(resources, actor, tenant_id, email)
    except errors.Refusal as refusal:
        if refusal.code not in REFUSALS:
            raise
        return RedirectResponse(f"/clients/{tenant_id}/terms?problem={refusal.code}", 303)
    return back(tenant_id, "saved", "/terms")


@router.post("/clients/{tenant_id}/maintenance")
async def set_maintenance(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Says until when the backup software is maintained."""
    reason, day = line(sent.fields, "reason"), field(sent.fields, "until")
    if not reason:
        return back(tenant_id, "reason-missing", "/terms")
    try:
        until = date.fromisoformat(day) if day else None
    except ValueError:
        return RedirectResponse(f"/clients/{tenant_id}/terms?problem=maintenance_until", 303)
    try:
        await approvals.set_maintenance(resources, sent.actor, tenant_id, until, reason)
    except EndTooNear as refusal:
        return RedirectResponse(f"/clients/{tenant_id}/terms?problem={refusal.code}", 303)
    return back(tenant_id, "saved", "/terms")
