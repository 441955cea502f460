"""Who asks: a bearer token, or a browser's session where nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, cast

from fastapi import Depends, Request

from libs.shared import errors, logs, web
from services.portal.actions.people import signing
from services.portal.actions.resources import Resources
from services.portal.rules import people
from services.portal.rules.guesses import Visitor
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Kind, Person

_BEARERS: tuple[Kind, ...] = ("token", "bootstrap", "personal")
_READING = frozenset({"GET", "HEAD"})


def find_resources(request: Request) -> Resources:
    """What the application was built with."""
    return cast("Resources", request.app.state.resources)


def find_address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


ResourcesOf = Annotated[Resources, Depends(find_resources)]
Address = Annotated[str, Depends(find_address)]


def find_visitor(request: Request, resources: ResourcesOf, address: Address) -> Visitor:
    """Where a try at a password comes from."""
    return Visitor(address, request.cookies.get(resources.device_cookie_name, "")[:64])


VisitorOf = Annotated[Visitor, Depends(find_visitor)]


async def find_signed_in(request: Request, resources: ResourcesOf) -> Person:
    """The person behind a request, looked up once for each; raises Unauthenticated.

    A cookie counts only where nothing is changed: another site can make a browser send it."""
    found: Person | None = getattr(request.state, "signed_in", None)
    if found is None:
        found = request.state.signed_in = await _find_bearer(request, resources)
        web.note_known(request.scope, found.tenant_id or found.user_id)
        logs.bind(tenant_id=found.tenant_id)
    return found


async def _find_bearer(request: Request, resources: Resources) -> Person:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme:
        held = None
        if scheme.lower() == "bearer" and token:
            held = await signing.find_held(resources.pool, token, _BEARERS)
    else:
        token = request.cookies.get(resources.cookie_name, "")
        if not token or request.method not in _READING:
            raise errors.Unauthenticated
        held = await signing.find_held(resources.pool, token, ("session",))
    if held is None:
        raise errors.Unauthenticated
    if held.scope == "read" and not _reads(request):
        raise people.ReadsOnly
    request.state.credential = people.token_sha256(token)
    request.state.kind = held.kind
    return held.person


def _reads(request: Request) -> bool:
    """Whether a request changes nothing: chunks of a restore are asked for by POST."""
    path: str = request.scope["path"]
    is_restore = path.startswith("/api/v1/plans/") and path.endswith("/chunks")
    return request.method in _READING or is_restore


SignedIn = Annotated[Person, Depends(find_signed_in)]


async def find_actor(request: Request, person: SignedIn, address: Address) -> Actor:
    """The person behind a request as the access log knows them."""
    return person.at(address, request.state.credential)


Acting = Annotated[Actor, Depends(find_actor)]


def check_administrator(person: Person) -> None:
    """Raises Forbidden for anybody who isn't a client's administrator."""
    if person.role != "administrator":
        raise errors.Forbidden("Only an administrator of the client may do this.")


async def find_operator(person: SignedIn, actor: Acting) -> Actor:
    """The operator behind a request; raises Forbidden for anybody else."""
    check_operator(person)
    return actor


def check_operator(person: Person) -> None:
    """Raises Forbidden for anybody who isn't one of the provider's operators."""
    if not person.is_operator:
        raise errors.Forbidden("Only the provider's operators may do this.")


@asynccontextmanager
async def admit_anybody(request: Request) -> AsyncIterator[None]:
    """Lets in whoever is signed in."""
    await find_signed_in(request, find_resources(request))
    yield


@asynccontextmanager
async def admit_operator(request: Request) -> AsyncIterator[None]:
    """Lets an operator in."""
    check_operator(await find_signed_in(request, find_resources(request)))
    yield


OperatorFirst = web.behind(admit_operator)
"""The class of routes that read no body before an operator is known to send it."""


async def find_client(person: SignedIn, actor: Acting) -> Actor:
    """The client company's user who asks; raises Forbidden for operators, who have no files."""
    if person.tenant_id is None:
        raise errors.Forbidden("Operators have no plans of their own; sign in as a client's user.")
    return actor


Client = Annotated[Actor, Depends(find_client)]


async def find_administrator(person: SignedIn, actor: Client) -> Actor:
    """The client's administrator who asks; raises Forbidden for its other users."""
    check_administrator(person)
    return actor


@asynccontextmanager
async def admit_administrator(request: Request) -> AsyncIterator[None]:
    """Lets a client's administrator in, before a body is read."""
    check_administrator(await find_signed_in(request, find_resources(request)))
    yield


def check_password_known(request: Request) -> None:
    """Raises Forbidden for a personal token: it gives birth to no other, and ends no sign-in."""
    if request.state.kind == "personal":
        raise errors.Forbidden("Sign in with your password for this: a personal token may not.")


Operator = Annotated[Actor, Depends(find_operator)]
Administrator = Annotated[Actor, Depends(find_administrator)]


async def hold_download(actor: Client, resources: ResourcesOf) -> AsyncIterator[None]:
    """Until an answer was sent to its end, one of those that a user and a client may have."""
    async with resources.hold_download(actor.tenant_id, actor.user_id):
        yield


Downloading = Depends(hold_download, scope="request")
