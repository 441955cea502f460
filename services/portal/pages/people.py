"""Pages for signing in and out, and for one's account."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from services.portal.actions import documents
from services.portal.actions.people import signing
from services.portal.actions.people.signing import Credential
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf, VisitorOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Anybody, Reader, field
from services.portal.rules import people
from services.portal.rules.guesses import KNOWN_LIFE

router = APIRouter()

Next = Annotated[str, Query(alias="next", max_length=8192)]


@router.get("/sign-in")
async def show_sign_in(request: Request, reader: Reader, onward: Next = "/") -> Response:
    """The first door."""
    if reader is not None:
        return RedirectResponse(sessions.own_path(onward), 303)
    return render(
        request, "sign_in.html", None, onward=sessions.own_path(onward), email="", problem=None
    )


@router.post("/sign-in")
async def sign_in(request: Request, resources: ResourcesOf, visitor: VisitorOf) -> Response:
    """Opens a session; a one-time password leads to the choice of another."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    email, password = field(form, "email")[:320], field(form, "password")[:4096]
    onward = sessions.own_path(field(form, "next"))
    try:
        signed = await signing.sign_in(
            resources.pool,
            resources.passwords,
            email=email,
            password=password,
            visitor=visitor,
            kind="session",
        )
    except people.PasswordChangeRequired:
        return render(
            request, "password.html", None, email=email, password=password, problem=None, first=True
        )
    except (people.WrongPassword, errors.TooManyRequests) as refusal:
        answer = render(
            request,
            "sign_in.html",
            None,
            status=refusal.status,
            onward=onward,
            email=email,
            problem=refusal,
        )
        answer.headers.update(refusal.headers)
        return answer
    return _with_session(resources, signed, await _by_way_of_documents(resources, signed, onward))


@router.post("/password")
async def change_password(
    request: Request, reader: Reader, resources: ResourcesOf, visitor: VisitorOf
) -> Response:
    """Replaces a password and opens a session with the new one."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    email = reader.email if reader else field(form, "email")[:320]
    password, new = field(form, "password")[:4096], field(form, "new_password")[:4096]
    first = field(form, "first") == "yes" and reader is None
    problem: errors.Refusal | None = None
    if new != field(form, "repeated"):
        problem = PasswordsDiffer()
    else:
        try:
            await signing.change_password(
                resources.pool,
                resources.passwords,
                email=email,
                password=password,
                new_password=new,
                visitor=visitor,
            )
        except (people.WrongPassword, people.PasswordTooWeak, errors.TooManyRequests) as refusal:
            problem = refusal
    if problem is not None:
        return render(
            request,
            "password.html",
            reader,
            status=problem.status,
            email=email,
            password=password if first else "",
            problem=problem,
            first=first,
        )
    try:
        signed = await signing.sign_in(
            resources.pool,
            resources.passwords,
            email=email,
            password=new,
            visitor=visitor,
            kind="session",
        )
    except errors.TooManyRequests:  # others guess at this very moment: the password is set
        return RedirectResponse("/sign-in", 303)
    return _with_session(resources, signed, await _by_way_of_documents(resources, signed, "/"))


class PasswordsDiffer(errors.Refusal):
    """The new password was typed in two ways."""

    code = "passwords-differ"
    status = 422
    title = "The two new passwords differ"


@router.get("/password")
async def show_password(request: Request, person: Anybody) -> Response:
    """The form for a new password."""
    return render(
        request, "password.html", person, email=person.email, password="", problem=None, first=False
    )


@router.post("/sign-out")
async def sign_out(
    request: Request, person: Anybody, resources: ResourcesOf, address: Address
) -> Response:
    """Ends the session at once."""
    await sessions.read_form(request, resources)
    await signing.sign_out(resources.pool, person.at(address), request.state.session)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(
        resources.cookie_name, secure=resources.is_https, httponly=True, samesite="lax"
    )
    return answer


@router.get("/account")
async def show_account(request: Request, person: Anybody, saved: bool = False) -> Response:
    """Who is signed in, their language, their password."""
    return render(request, "account.html", person, saved=saved)


@router.post("/account")
async def change_account(
    request: Request, person: Anybody, resources: ResourcesOf, address: Address
) -> Response:
    """Sets the reader's language."""
    form = await sessions.read_form(request, resources)
    locale = field(form, "locale")
    if locale not in ("fr", "en"):
        raise errors.InvalidRequest("The language is fr or en.")
    await signing.choose_language(resources.pool, person, address, "fr" if locale == "fr" else "en")
    return RedirectResponse("/account?" + urlencode({"saved": "true"}), 303)


async def _by_way_of_documents(resources: Resources, signed: Credential, onward: str) -> str:
    """Where a sign-in leads: an administrator sees first what waits for an answer."""
    if not await documents.has_pending(resources.pool, signed.person):
        return onward
    return "/documents?" + urlencode({"next": onward})


def _with_session(resources: Resources, signed: Credential, onward: str) -> Response:
    answer = RedirectResponse(onward, 303)
    cookies = (
        (resources.cookie_name, signed.token, people.SESSION_LIFE),
        (resources.device_cookie_name, signed.device, KNOWN_LIFE),
    )
    for name, value, life in cookies:
        answer.set_cookie(
            name,
            value,
            max_age=int(life.total_seconds()),
            path="/",
            secure=resources.is_https,
            httponly=True,
            samesite="lax",
        )
    return answer
