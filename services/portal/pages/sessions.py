"""A browser's session: who it is, and that a form is really theirs."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors, logs, web
from services.portal.actions import notices
from services.portal.actions.people import signing
from services.portal.api.access import Address, ResourcesOf
from services.portal.rules import clients, people
from services.portal.rules.factors import EnrolFirst
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Kind, Person

_PORTS = {"http": 80, "https": 443}


class SignInFirst(errors.Unauthenticated):
    """A page that needs a session."""

    def __init__(self) -> None:
        super().__init__("Sign in first.")


class ForeignForm(errors.Forbidden):
    """A form that another site filled in, or an outdated one."""

    code = "form-refused"

    def __init__(self) -> None:
        super().__init__("This form is out of date; go back, load the page again, and retry.")


_KINDS: tuple[Kind, ...] = ("session", "enrolling")
_ENROLLING = ("/account/second-factor", "/sign-out", "/language/")


def _may_enrol(request: Request) -> bool:
    """Whether a page is open to an operator who has to set up a second factor first."""
    path: str = request.scope["path"]
    return path.startswith(_ENROLLING)


async def find_reader(request: Request, resources: ResourcesOf) -> Person | None:
    """Who the browser's session belongs to, if anybody."""
    token = request.cookies.get(resources.cookie_name, "")
    held = await signing.find_held(resources.pool, token, _KINDS) if token else None
    person = held.person if held else None
    if held is not None and held.kind == "enrolling" and not _may_enrol(request):
        raise EnrolFirst
    if person is not None:
        web.note_known(request.scope, person.tenant_id or person.user_id)
        logs.bind(tenant_id=person.tenant_id)
        request.state.session = token
        request.state.is_enrolling = held is not None and held.kind == "enrolling"
        request.state.person = person
        if held is not None and held.subscription is not None:
            request.state.recovers = clients.may_recover(held.subscription)
        if person.tenant_id is not None:
            request.state.announced = await notices.list_current(resources.pool, person.tenant_id)
    return person


Reader = Annotated[Person | None, Depends(find_reader)]


async def find_client(reader: Reader) -> Person:
    """A client company's user; raises SignInFirst, and NotFound for operators."""
    if reader is None:
        raise SignInFirst
    if reader.tenant_id is None:
        raise errors.NotFound
    return reader


async def find_operator(reader: Reader) -> Person:
    """An operator; for anybody else these pages don't exist."""
    if reader is None:
        raise SignInFirst
    if not reader.is_operator:
        raise errors.NotFound
    return reader


async def find_anybody(reader: Reader) -> Person:
    """Somebody who is signed in."""
    if reader is None:
        raise SignInFirst
    return reader


Client = Annotated[Person, Depends(find_client)]
Operator = Annotated[Person, Depends(find_operator)]
Anybody = Annotated[Person, Depends(find_anybody)]


async def find_administrator(person: Client) -> Person:
    """A client's administrator; raises Forbidden for its other users."""
    if person.role != "administrator":
        raise errors.Forbidden("Only an administrator of the client may do this.")
    return person


Administrator = Annotated[Person, Depends(find_administrator)]


def check_origin(request: Request, portal_url: str) -> None:
    """Raises ForeignForm where the browser says that another site sends this.

    A browser that can tell is believed, else the address of the page that the form stood on is
    compared with ours: proxies may pass another Host than the one that people type."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        is_ours = origin is None or _same_origin(origin, portal_url)
    if not is_ours:
        raise ForeignForm


def _same_origin(one: str, other: str) -> bool:
    """Whether two addresses have one scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return address, None, None


async def read_form(request: Request, resources: ResourcesOf, most: int = 50) -> FormData:
    """The fields, `most` at most, of a form that this session was shown; raises ForeignForm."""
    check_origin(request, resources.portal_url)
    form = await request.form(max_files=0, max_fields=most)
    expected = people.form_token(getattr(request.state, "session", ""))
    if not hmac.compare_digest(field(form, "form_token"), expected):
        raise ForeignForm
    return form


@dataclass(frozen=True)
class OperatorsForm:
    """A form that an operator sent, and who that is in the log."""

    fields: FormData
    actor: Actor


async def read_operators_form(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> OperatorsForm:
    """What an operator sent from a page of ours; raises ForeignForm."""
    return OperatorsForm(await read_form(request, resources), operator.at(address))


Sent = Annotated[OperatorsForm, Depends(read_operators_form)]


def field(form: FormData, name: str) -> str:
    """One field's text, empty where it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def line(form: FormData, name: str, limit: int = 200) -> str:
    """One field's text as one line that can be shown."""
    text = " ".join(field(form, name).split())
    return "".join(filter(str.isprintable, text))[:limit]


def key(form: FormData) -> UUID:
    """What makes a form count once, however often it is sent; raises InvalidRequest."""
    try:
        return UUID(field(form, "key"))
    except ValueError:
        raise errors.InvalidRequest("The form lacks its key.") from None


def own_path(target: str) -> str:
    """A path of this portal to go on to; the first page for anything else."""
    is_own = target.startswith("/") and not target.startswith("//") and target.isprintable()
    return target if is_own and "\\" not in target else "/"


def enrol_first() -> Response:
    """Sends the browser to the page where a second factor is set up."""
    return RedirectResponse("/account/second-factor", 303)


def sign_in_first(request: Request) -> Response:
    """Sends the browser to the sign-in page, and back afterwards."""
    # Not request.url, which is made of the Host that the request names.
    target = quote(request.scope["path"], safe="/:@!$&'()*+,;=~")
    if query := request.scope["query_string"].decode("latin-1"):
        target += "?" + query
    return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
