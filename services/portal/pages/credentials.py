"""Where somebody is signed in, and the tokens that they gave to programs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions import credentials
from services.portal.actions.people import signing
from services.portal.api.access import Address, ResourcesOf, VisitorOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Anybody, field, line
from services.portal.rules import people
from services.portal.rules.credentials import describe_browser
from services.portal.rules.people import Person

router = APIRouter()

_DONE = {
    "ended": N_("This sign-in has ended."),
    "gone": N_("This was ended before."),
    "revoked": N_("The token is revoked: it opens nothing any more."),
}
_DAYS = (30, 90, 365)
_REFUSALS = {
    "wrong-password": N_("The password is wrong."),
    "too-many-requests": N_("Too many tries. Wait a while."),
    "too-many-tokens": N_("There are too many tokens: revoke one that nothing uses."),
    "no-label": N_("Say what the token is for."),
}


@router.get("/account/sessions")
async def show_sessions(
    request: Request,
    person: Anybody,
    resources: ResourcesOf,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Every sign-in: by which browser, from where, since when, and a button that ends it."""
    this = people.token_sha256(request.state.session)
    held = await credentials.list_held(resources.pool, person, credentials.SESSIONS, this)
    return render(
        request,
        "sessions.html",
        person,
        held=held,
        describe=describe_browser,
        done=_DONE.get(done, ""),
    )


@router.post("/account/sessions")
async def end_session(
    request: Request, person: Anybody, resources: ResourcesOf, address: Address
) -> Response:
    """Ends one sign-in, or all with this one."""
    form = await sessions.read_form(request, resources)
    if field(form, "change") == "everywhere":
        await credentials.sign_out_everywhere(resources.pool, person, address)
        return RedirectResponse("/sign-in", 303)
    credential_id = _read_id(field(form, "credential_id"))
    ended = await credentials.end_session(resources.pool, person, address, credential_id)
    return RedirectResponse(f"/account/sessions?done={'ended' if ended else 'gone'}", 303)


@router.get("/account/tokens")
async def show_tokens(
    request: Request,
    person: Anybody,
    resources: ResourcesOf,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Every token that somebody gave to a program, and a form for one more."""
    return await _show_tokens(request, resources, person, done=_DONE.get(done, ""))


@router.post("/account/tokens")
async def change_tokens(
    request: Request,
    person: Anybody,
    resources: ResourcesOf,
    visitor: VisitorOf,
) -> Response:
    """Makes a token, shown this once, or revokes one."""
    form = await sessions.read_form(request, resources)
    actor = person.at(visitor.address)
    if field(form, "change") == "revoke":
        credential_id = _read_id(field(form, "credential_id"))
        try:
            await credentials.revoke_token(resources.pool, actor, credential_id)
        except errors.NotFound:
            return RedirectResponse("/account/tokens?done=gone", 303)
        return RedirectResponse("/account/tokens?done=revoked", 303)
    label, days = line(form, "label", 80), field(form, "days")
    if days not in map(str, _DAYS):
        raise errors.InvalidRequest("A token lasts 30, 90 or 365 days.")
    problem, status, made = "no-label", 422, ""
    if label:
        try:
            password = field(form, "password")[:4096]
            await signing.confirm_person(resources.door, person, password, visitor)
            scope: people.Scope = "all" if field(form, "scope") == "all" else "read"
            made, _ = await credentials.make_token(resources.pool, actor, label, scope, int(days))
            problem, status = "", 201
        except (people.WrongPassword, people.TooManyTries, people.TooManyTokens) as refusal:
            problem, status = refusal.code, refusal.status
    return await _show_tokens(
        request,
        resources,
        person,
        made=made,
        label=label,
        problem=_REFUSALS.get(problem, ""),
        status=status,
    )


async def _show_tokens(
    request: Request,
    resources: ResourcesOf,
    person: Person,
    *,
    done: str = "",
    made: str = "",
    label: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    this = people.token_sha256(request.state.session)
    held = await credentials.list_held(resources.pool, person, credentials.TOKENS, this)
    return render(
        request,
        "tokens.html",
        person,
        status=status,
        held=held,
        days=_DAYS,
        done=done,
        made=made,
        label=label,
        problem=problem,
    )


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise errors.InvalidRequest("Load the page again.") from None
