"""Who asks: a bearer token, or a browser's session where nothing is changed."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from libs.shared import errors
from services.portal.actions import signing
from services.portal.actions.parts import Parts
from services.portal.rules import people
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person


def find_parts(request: Request) -> Parts:
    """What the application was built with."""
    return cast("Parts", request.app.state.parts)


def find_address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


PartsOf = Annotated[Parts, Depends(find_parts)]
Address = Annotated[str, Depends(find_address)]


async def find_signed_in(request: Request, parts: PartsOf) -> Person:
    """The person behind a request; raises Unauthenticated.

    A cookie counts only where nothing is changed: another site can make a browser send it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme:
        person = None
        if scheme.lower() == "bearer" and token:
            person = await signing.find_person(parts.pool, token)
    else:
        token = request.cookies.get(parts.cookie_name, "")
        if not token or request.method not in {"GET", "HEAD"}:
            raise errors.Unauthenticated
        person = await signing.find_person(parts.pool, token, kinds=("session",))
    if person is None:
        raise errors.Unauthenticated
    request.state.credential = people.token_sha256(token)
    return person


SignedIn = Annotated[Person, Depends(find_signed_in)]


async def find_actor(request: Request, person: SignedIn, address: Address) -> Actor:
    """The person behind a request as the access log knows them."""
    return person.at(address, request.state.credential)


Acting = Annotated[Actor, Depends(find_actor)]


async def find_operator(person: SignedIn, actor: Acting) -> Actor:
    """The operator behind a request; raises Forbidden for anybody else."""
    if not person.is_operator:
        raise errors.Forbidden("Only the provider's operators may do this.")
    return actor


async def find_client(person: SignedIn, actor: Acting) -> Actor:
    """The client company's user who asks; raises Forbidden for operators, who have no files."""
    if person.tenant_id is None:
        raise errors.Forbidden("Operators have no plans of their own; sign in as a client's user.")
    return actor


Operator = Annotated[Actor, Depends(find_operator)]
Client = Annotated[Actor, Depends(find_client)]
