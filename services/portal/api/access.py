"""Who asks: a bearer token, or a browser's session where nothing is changed."""

from __future__ import annotations

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from libs.shared import errors
from services.portal.actions import signing
from services.portal.actions.parts import Parts
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
    if scheme:
        person = None
        if scheme.lower() == "bearer" and token.strip():
            person = await signing.find_person(parts.pool, token.strip())
    else:
        cookie = request.cookies.get(parts.cookie_name, "")
        if not cookie or request.method not in {"GET", "HEAD"}:
            raise errors.Unauthenticated
        person = await signing.find_person(parts.pool, cookie, kinds=("session",))
    if person is None:
        raise errors.Unauthenticated
    return person


SignedIn = Annotated[Person, Depends(find_signed_in)]


async def find_operator(person: SignedIn) -> Person:
    """The operator behind a request; raises Forbidden for anybody else."""
    if not person.is_operator:
        raise errors.Forbidden("Only the provider's operators may do this.")
    return person


async def find_tenant_id(person: SignedIn) -> UUID:
    """The client company whose user asks; raises Forbidden for operators, who have no files."""
    if person.tenant_id is None:
        raise errors.Forbidden("Operators have no plans of their own; sign in as a client's user.")
    return person.tenant_id


Operator = Annotated[Person, Depends(find_operator)]
TenantId = Annotated[UUID, Depends(find_tenant_id)]
