"""Who reads which reports, and the page behind the link by which a reader changes theirs."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.events import Locale, ReportChoice
from libs.shared.words.tongue import N_
from services.portal.actions import choices
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Administrator, field, line

router = APIRouter()

CHOICES: dict[ReportChoice, str] = {
    "every": N_("Every report"),
    "failures": N_("Failures only: what failed or never ran, and when it works again"),
    "weekly": N_("Once a week, and what fails once a day"),
}
LOCALES: tuple[Locale, ...] = get_args(Locale)


@router.get("/reports")
async def show_readers(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Everybody who may read reports, and a button by which the client declines them all."""
    shown = await choices.list_readers(resources.pool, person.at(address))
    return render(
        request,
        "reports.html",
        person,
        readers=shown.readers,
        declined=shown.declined,
        choices=CHOICES,
        locales=LOCALES,
    )


@router.post("/reports")
async def change_reports(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Declines all reports, takes that back, or lets one reader get others."""
    form = await sessions.read_form(request, resources)
    actor = person.at(address)
    match field(form, "change"):
        case "decline":
            await choices.decline(resources.pool, actor)
        case "take-back":
            await choices.take_back(resources.pool, actor)
        case "choose":
            choice, locale = _read(form)
            await choices.choose(resources.pool, actor, line(form, "email", 320), choice, locale)
        case _:
            raise errors.InvalidRequest("The change is decline, take-back or choose.")
    return RedirectResponse("/reports", 303)


@router.get("/reports/{token}")
async def show_choice(
    request: Request, token: str, resources: ResourcesOf, address: Address
) -> Response:
    """What a reader gets today; programs that follow links of mails change nothing by that."""
    asked = await choices.find_asked(resources.pool, resources.mail_key, token, address)
    return render(
        request,
        "choice.html",
        None,
        client=asked.tenant.name,
        reader=asked.reader,
        stop_token=asked.stop_token,
        choices=CHOICES,
        locales=LOCALES,
    )


@router.post("/reports/{token}")
async def change_choice(
    request: Request, token: str, resources: ResourcesOf, address: Address
) -> Response:
    """Takes what the reader chose."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    choice, locale = _read(form)
    await choices.choose_by_link(resources.pool, resources.mail_key, token, address, choice, locale)
    return RedirectResponse(f"/reports/{token}", 303)


def _read(form: FormData) -> tuple[ReportChoice, Locale | None]:
    """What was chosen; raises InvalidRequest for anything else."""
    chosen = [one for one in CHOICES if one == field(form, "choice")]
    if not chosen:
        raise errors.InvalidRequest("The choice is every, failures or weekly.")
    named = [one for one in LOCALES if one == field(form, "locale")]
    return chosen[0], named[0] if named else None
