"""A client's people with an account: who they are, and what its administrators do to that."""

from __future__ import annotations

from typing import Annotated, get_args
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.events import Locale
from libs.shared.words.tongue import N_
from services.portal.actions import users
from services.portal.actions.clients.opening import EmailTaken
from services.portal.actions.orders import saying
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import choose_locale, render
from services.portal.pages.sessions import Administrator, field, line
from services.portal.rules.orders.refusals import OrderRefused
from services.portal.rules.people import Person, Role
from services.portal.rules.recipients import NotAnAddress, read_address
from services.portal.rules.users import LastAdministrator, ResetByProvider, SeatsUsed

router = APIRouter()

_DONE = {
    "opened": N_("The account is open: a one-time password is on its way by mail."),
    "saved": N_("Saved."),
    "reset": N_("A new one-time password is on its way by mail; the old one is good no more."),
    "factors": N_(
        "The second factors are taken away: the next sign-in asks for the password alone."
    ),
    "sign-out": N_("Signed out everywhere, at once; tokens of programs have ended too."),
    "closed": N_("The account is closed, and its seat is free."),
    "gone": N_("This account was closed before, perhaps by a colleague at this moment."),
}
_REFUSALS: dict[type[errors.Refusal], str] = {
    NotAnAddress: N_("This is no mail address."),
    EmailTaken: N_("This address has an account already."),
    SeatsUsed: N_("All seats are taken: order one more, or close an account."),
    OrderRefused: N_("In the present state of the subscription no account can be opened."),
    LastAdministrator: N_("Somebody must stay administrator: make a colleague one first."),
    ResetByProvider: N_("A new password for an administrator is sent by your provider: call us."),
    errors.Conflict: N_(
        "The password was changed at this very moment: look again before you go on."
    ),
}
_NO_NAME = N_("A name is missing.")
_CHANGES = ("save", "reset", "factors", "sign-out", "close")


@router.get("/people")
async def show_people(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Everybody with an account, the seats, and a form that opens one more."""
    return await _show(request, resources, person, address, done=_DONE.get(done, ""))


@router.post("/people")
async def open_user(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Opens an account; what is wrong is said above the form, filled in as it was."""
    form = await sessions.read_form(request, resources)
    typed = {"name": line(form, "name"), "email": line(form, "email", 254)}
    locale, role = _locale(field(form, "locale")), _role(field(form, "role"))
    problem, status = "", 422
    if not typed["name"]:
        problem = _NO_NAME
    else:
        try:
            await users.open_user(
                resources.pool,
                resources.passwords,
                resources.mail_key,
                person.at(address),
                name=typed["name"],
                email=read_address(typed["email"]),
                locale=locale,
                role=role,
            )
        except (NotAnAddress, EmailTaken, SeatsUsed, OrderRefused) as refusal:
            problem, status = _REFUSALS[type(refusal)], refusal.status
    if problem:
        typed |= {"locale": locale, "role": role}
        return await _show(
            request, resources, person, address, problem=problem, typed=typed, status=status
        )
    return RedirectResponse("/people?done=opened", 303)


@router.get("/people/{user_id}")
async def show_user(
    request: Request, user_id: UUID, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """One account: its name, role and language, a new password, its end."""
    shown = await users.view_user(resources.pool, person.at(address), user_id)
    return render(request, "user.html", person, shown=shown, problem="")


@router.post("/people/{user_id}")
async def change_user(
    request: Request, user_id: UUID, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Saves what was changed, sends a new password, or closes the account."""
    form = await sessions.read_form(request, resources)
    actor, change = person.at(address), field(form, "change")
    if change not in _CHANGES:
        raise errors.InvalidRequest("The change is save, reset, factors, sign-out or close.")
    try:
        if change == "save":
            await users.change_user(
                resources.pool,
                actor,
                user_id,
                line(form, "name") or None,
                _role(field(form, "role")),
                _locale(field(form, "locale")),
            )
        elif change == "reset":
            await users.reset_password(
                resources.pool, resources.passwords, resources.mail_key, actor, user_id
            )
        elif change == "sign-out":
            await users.sign_out(resources.pool, actor, user_id)
        elif change == "factors":
            await users.forget_factors(resources.pool, actor, user_id)
        else:
            await users.close_user(resources.pool, actor, user_id)
    except errors.NotFound:
        return RedirectResponse("/people?done=gone", 303)
    except (LastAdministrator, ResetByProvider, errors.Conflict) as refusal:
        shown = await users.view_user(resources.pool, actor, user_id)
        return render(
            request,
            "user.html",
            person,
            status=refusal.status,
            shown=shown,
            problem=_REFUSALS[type(refusal)],
        )
    if user_id == person.user_id and change == "close":
        return RedirectResponse("/sign-in", 303)
    done = {"save": "saved", "close": "closed"}.get(change, change)
    return RedirectResponse("/people?" + urlencode({"done": done}), 303)


async def _show(
    request: Request,
    resources: ResourcesOf,
    person: Person,
    address: str,
    *,
    done: str = "",
    problem: str = "",
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    listed = await users.list_users(resources.pool, person.at(address))
    seat = listed.next_seat
    price = saying.say(saying.speak(choose_locale(request, person), seat), seat) if seat else ""
    return render(
        request,
        "people.html",
        person,
        status=status,
        timezone=listed.tenant.timezone,
        listed=listed,
        price=price,
        done=done,
        problem=problem,
        typed=typed or {"name": "", "email": "", "locale": listed.tenant.locale, "role": "user"},
    )


def _locale(text: str) -> Locale:
    locales: tuple[Locale, ...] = get_args(Locale)
    for one in locales:
        if one == text:
            return one
    raise errors.InvalidRequest("The language is fr or en.")


def _role(text: str) -> Role:
    if text == "administrator":
        return "administrator"
    if text == "user":
        return "user"
    raise errors.InvalidRequest("The role is administrator or user.")
