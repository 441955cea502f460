"""Pages for signing in and out, and for one's account."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import clock, errors
from libs.shared.events import Locale
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_
from services.portal.actions import documents, factors, users
from services.portal.actions.people import forgetting, signing
from services.portal.actions.people.signing import HandedOut
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf, VisitorOf
from services.portal.pages import sessions
from services.portal.pages.rendering import LANGUAGE_COOKIE, render
from services.portal.pages.sessions import Anybody, Reader, field
from services.portal.rules import people
from services.portal.rules.factors import SecondFactorRequired, WrongCode
from services.portal.rules.guesses import KNOWN_LIFE
from services.portal.rules.people import Person

router = APIRouter()

_DONE = {
    "saved": N_("Saved."),
}

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
            resources.door,
            email=email,
            password=password,
            visitor=visitor,
            kind="session",
            browser=request.headers.get("user-agent", ""),
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
    return await _go_on(resources, signed, onward)


@router.get("/sign-in/second")
async def show_second(request: Request, resources: ResourcesOf, onward: Next = "/") -> Response:
    """The second step of a sign-in: a code, or a passkey."""
    return await _show_second(request, resources, sessions.own_path(onward))


@router.post("/sign-in/second")
async def take_second(request: Request, resources: ResourcesOf, visitor: VisitorOf) -> Response:
    """Takes the second factor and opens the session."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    onward, door = sessions.own_path(field(form, "next")), resources.door
    token, person = await _find_pending(request, resources)
    answer = field(form, "credential")[:16_384]
    try:
        if answer:
            await factors.check_passkey(
                door.pool, resources.portal_url, person, visitor.address, token, answer
            )
        else:
            code = field(form, "code")[:64]
            await factors.check_code(door.pool, door.mail_key, person, visitor.address, code)
    except (WrongCode, errors.TooManyRequests) as refusal:
        return await _show_second(request, resources, onward, refusal)
    signed = await signing.complete(door, person, token, visitor)
    return await _go_on(resources, signed, onward)


async def _find_pending(request: Request, resources: Resources) -> tuple[str, Person]:
    """Whose sign-in waits for its second step; raises SignInFirst."""
    token = request.cookies.get(resources.pending_cookie_name, "")
    held = await signing.find_held(resources.pool, token, ("pending",)) if token else None
    if held is None:
        raise sessions.SignInFirst
    return token, held.person


async def _show_second(
    request: Request, resources: Resources, onward: str, problem: errors.Refusal | None = None
) -> Response:
    token, person = await _find_pending(request, resources)
    options = await factors.ask_passkeys(resources.pool, resources.portal_url, person, token)
    has_totp = (await factors.find(resources.pool, person)).has_totp
    answer = render(
        request,
        "second.html",
        None,
        locale=person.locale,
        status=problem.status if problem else 200,
        onward=onward,
        options=options,
        has_totp=has_totp,
        problem=problem,
    )
    if problem is not None:
        answer.headers.update(problem.headers)
    return answer


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
                resources.door,
                email=email,
                password=password,
                new_password=new,
                visitor=visitor,
                is_signed_in=reader is not None,
            )
        except SecondFactorRequired:
            return RedirectResponse("/sign-in", 303)
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
            resources.door,
            email=email,
            password=new,
            visitor=visitor,
            kind="session",
            browser=request.headers.get("user-agent", ""),
        )
    except errors.TooManyRequests:  # others guess at this very moment: the password is set
        return RedirectResponse("/sign-in", 303)
    return await _go_on(resources, signed, "/?told=password")


@router.get("/forgotten")
async def show_forgotten(
    request: Request, email: Annotated[str, Query(max_length=320)] = ""
) -> Response:
    """Who is asked where a password was forgotten."""
    return render(request, "forgotten.html", None, email=email, sent=False)


@router.post("/forgotten")
async def tell_forgotten(request: Request, resources: ResourcesOf, visitor: VisitorOf) -> Response:
    """Tells who can have a new password sent; the answer is the same whatever there is."""
    sessions.check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=10)
    await forgetting.tell_forgotten(resources.pool, field(form, "email")[:320], visitor)
    return render(request, "forgotten.html", None, email="", sent=True)


@router.get("/language/{locale}")
async def choose_language(
    locale: Locale, resources: ResourcesOf, onward: Next = "/sign-in"
) -> Response:
    """Keeps the language of whoever isn't signed in, by a link."""
    answer = RedirectResponse(sessions.own_path(onward), 303)
    _set(resources, answer, LANGUAGE_COOKIE, locale, KNOWN_LIFE)
    return answer


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
    request: Request, reader: Reader, resources: ResourcesOf, address: Address
) -> Response:
    """Ends the session at once; where it had ended, that is what was wanted."""
    if reader is not None:
        await sessions.read_form(request, resources)
        await signing.sign_out(resources.pool, reader.at(address), request.state.session)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(
        resources.cookie_name, secure=resources.is_https, httponly=True, samesite="lax"
    )
    return answer


@router.get("/account")
async def show_account(
    request: Request,
    person: Anybody,
    resources: ResourcesOf,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Who is signed in, their language, their password, and how far back their company can go."""
    tenant = await users.find_contract(resources.pool, person)
    kept_since = clock.now() - timedelta(days=tenant.retention_days) if tenant else None
    return render(
        request,
        "account.html",
        person,
        timezone=tenant.timezone if tenant else DEFAULT_TIMEZONE,
        tenant=tenant,
        kept_since=kept_since,
        done=_DONE.get(done, ""),
    )


@router.post("/account")
async def change_account(
    request: Request, person: Anybody, resources: ResourcesOf, address: Address
) -> Response:
    """Sets the reader's language."""
    form = await sessions.read_form(request, resources)
    locale = field(form, "locale")
    if locale not in ("fr", "en"):
        raise errors.InvalidRequest("The language is fr or en.")
    await users.choose_language(resources.pool, person, address, "fr" if locale == "fr" else "en")
    return RedirectResponse("/account?done=saved", 303)


async def _go_on(resources: Resources, signed: HandedOut, onward: str) -> Response:
    """Where a sign-in leads: to its second step, to what waits for an answer, then onward."""
    if signed.kind == "pending":
        answer = RedirectResponse("/sign-in/second?" + urlencode({"next": onward}), 303)
        _set(resources, answer, resources.pending_cookie_name, signed.token, people.PENDING_LIFE)
        return answer
    if signed.kind == "session" and await documents.has_pending(resources.pool, signed.person):
        onward = "/documents?" + urlencode({"next": onward})
    answer = RedirectResponse(onward, 303)
    _set(resources, answer, resources.cookie_name, signed.token, people.SESSION_LIFE)
    _set(resources, answer, resources.device_cookie_name, signed.device, KNOWN_LIFE)
    if signed.kind == "session":
        answer.delete_cookie(
            resources.pending_cookie_name,
            secure=resources.is_https,
            httponly=True,
            samesite="lax",
        )
    return answer


def _set(resources: Resources, answer: Response, name: str, value: str, life: timedelta) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=int(life.total_seconds()),
        path="/",
        secure=resources.is_https,
        httponly=True,
        samesite="lax",
    )
