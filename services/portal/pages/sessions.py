"""A browser's session: who it is, and that a form is really theirs."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from services.portal.actions.people import signing
from services.portal.api.access import ResourcesOf
from services.portal.rules import people
from services.portal.rules.people import Person


class SignInFirst(errors.Unauthenticated):
    """A page that needs a session."""

    def __init__(self) -> None:
        super().__init__("Sign in first.")


class ForeignForm(errors.Forbidden):
    """A form that another site filled in, or an outdated one."""

    code = "form-refused"

    def __init__(self) -> None:
        super().__init__("This form is out of date; go back, load the page again, and retry.")


async def find_reader(request: Request, resources: ResourcesOf) -> Person | None:
    """Who the browser's session belongs to, if anybody."""
    token = request.cookies.get(resources.cookie_name, "")
    person = await signing.find_person(resources.pool, token, kinds=("session",)) if token else None
    if person is not None:
        request.state.session = token
        request.state.person = person
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


def check_origin(request: Request) -> None:
    """Raises ForeignForm where the browser says that another site sends this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise ForeignForm
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForeignForm


async def read_form(request: Request) -> FormData:
    """The fields of a form that this session was shown; raises ForeignForm."""
    check_origin(request)
    form = await request.form(max_files=0, max_fields=50)
    expected = people.form_token(getattr(request.state, "session", ""))
    if not hmac.compare_digest(field(form, "form_token"), expected):
        raise ForeignForm
    return form


def field(form: FormData, name: str) -> str:
    """One field's text, empty where it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def line(form: FormData, name: str, limit: int = 200) -> str:
    """One field's text as one line that can be shown."""
    text = " ".join(field(form, name).split())
    return "".join(filter(str.isprintable, text))[:limit]


def own_path(target: str) -> str:
    """A path of this portal to go on to; the first page for anything else."""
    is_own = target.startswith("/") and not target.startswith("//") and target.isprintable()
    return target if is_own and "\\" not in target else "/"


def sign_in_first(request: Request) -> Response:
    """Sends the browser to the sign-in page, and back afterwards."""
    target = request.url.path
    if request.url.query:
        target += "?" + request.url.query
    return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
