"""Second factors of one's own: an app that shows codes, passkeys, codes on paper."""

from __future__ import annotations

import hmac
import io
from typing import Annotated, Any
from uuid import UUID

import segno
from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions import factors
from services.portal.actions.people import signing
from services.portal.actions.resources import Resources
from services.portal.api.access import ResourcesOf, VisitorOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Anybody, field, line
from services.portal.rules.factors import EnrolFirst, PasskeyRefused, WrongCode
from services.portal.rules.guesses import Visitor
from services.portal.rules.people import Person, WrongPassword

router = APIRouter()

_DONE = {"removed": N_("It is taken away."), "gone": N_("This was taken away before.")}
_REFUSALS = {
    "second-factor-wrong": N_("This code is wrong or too old: type the one that is shown now."),
    "second-factor-missing": N_(
        "Operators keep at least one second factor: add another one first."
    ),
    "passkey-refused": N_("This passkey was not accepted: try again."),
    "wrong-password": N_("The password is wrong."),
    "too-many-requests": N_("Too many tries. Wait a while."),
}
_BEGINS = frozenset({"begin-totp", "begin-passkey"})
"""What a session that has to enrol first may do without the password, which it just gave."""
_REFUSED = (WrongCode, EnrolFirst, PasskeyRefused, WrongPassword, errors.TooManyRequests)


@router.get("/account/second-factor")
async def show_factors(
    request: Request,
    person: Anybody,
    resources: ResourcesOf,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """What somebody has beside the password, and what they could add."""
    return await _show(request, resources, person, done=_DONE.get(done, ""))


@router.post("/account/second-factor")
async def change_factors(
    request: Request, person: Anybody, resources: ResourcesOf, visitor: VisitorOf
) -> Response:
    """Begins to set up a factor, completes it, takes one away, or makes new recovery codes."""
    form = await sessions.read_form(request, resources)
    try:
        return await _change(request, resources, person, visitor, form)
    except _REFUSED as refusal:
        shown = await _find_shown(resources, person, form)
        answer = await _show(
            request,
            resources,
            person,
            problem=_REFUSALS[refusal.code],
            status=refusal.status,
            **shown,
        )
        answer.headers.update(refusal.headers)
        return answer


async def _change(
    request: Request, resources: Resources, person: Person, visitor: Visitor, form: FormData
) -> Response:
    pool, address, token = resources.pool, visitor.address, request.state.session
    change = field(form, "change")
    # What these two complete was begun by somebody who knew the password.
    match change:
        case "confirm-totp":
            code = field(form, "code")[:64]
            codes = await factors.confirm_totp(
                pool, resources.mail_key, person, address, token, code
            )
            return await _show(request, resources, person, added="totp", codes=codes)
        case "add-passkey":
            answer, label = field(form, "credential")[:65_536], line(form, "label", 60)
            codes = await factors.add_passkey(
                pool, resources.portal_url, person, address, token, label or "Passkey", answer
            )
            return await _show(request, resources, person, added="passkey", codes=codes)
    # What follows outlasts the session, or weakens it: whoever found it open must not do it.
    if not (request.state.is_enrolling and change in _BEGINS):
        password = field(form, "password")[:4096]
        await signing.confirm_person(resources.door, person, password, visitor)
    match change:
        case "begin-totp":
            enrolment = await factors.begin_totp(pool, resources.mail_key, person, resources.name)
            return await _show(request, resources, person, enrolment=enrolment)
        case "begin-passkey":
            label = line(form, "label", 60) or "Passkey"
            options = await factors.ask_for_passkey(
                pool, resources.portal_url, resources.name, person, token
            )
            return await _show(request, resources, person, options=options, label=label)
        case "codes":
            codes = await factors.make_codes(pool, person, address)
            return await _show(request, resources, person, codes=codes)
        case "remove":
            is_gone = await factors.remove(
                pool,
                person,
                address,
                _read_id(field(form, "passkey_id")),
                is_needed=resources.is_production and person.is_operator,
            )
            done = "removed" if is_gone else "gone"
            return RedirectResponse(f"/account/second-factor?done={done}", 303)
    raise errors.InvalidRequest("Load the page again.")


async def _find_shown(resources: Resources, person: Person, form: FormData) -> dict[str, Any]:
    """What stays on the page where a code was wrong: the same secret, so that one can try again.

    Only where the form shows that its page had the secret: nobody else reads it."""
    if field(form, "change") != "confirm-totp":
        return {}
    enrolment = await factors.find_enrolment(
        resources.pool, resources.mail_key, person, resources.name
    )
    typed = field(form, "secret").encode()
    is_known = enrolment and hmac.compare_digest(typed, enrolment.secret.encode())
    return {"enrolment": enrolment} if is_known else {}


async def _show(
    request: Request,
    resources: Resources,
    person: Person,
    *,
    enrolment: factors.FactorSetup | None = None,
    options: dict[str, Any] | None = None,
    label: str = "",
    codes: list[str] | None = None,
    added: str = "",
    done: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    found = await factors.find(resources.pool, person)
    return render(
        request,
        "factors.html",
        person,
        status=status,
        found=found,
        asks_password=found.is_any or not request.state.is_enrolling,
        must=resources.is_production and person.is_operator and not found.is_any,
        enrolment=enrolment,
        qr=_draw(enrolment.address) if enrolment else "",
        options=options,
        label=label,
        codes=codes or [],
        added=added,
        done=done,
        problem=problem,
    )


def _draw(address: str) -> Markup:
    """A QR code as SVG, dark on light in any theme, for cameras want it so."""
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn,
        kind="svg",
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        svgclass="qr",
        lineclass=None,
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn here, of numbers alone


def _read_id(text: str) -> UUID | None:
    """Which passkey; none is the app."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise errors.InvalidRequest("Load the page again.") from None
