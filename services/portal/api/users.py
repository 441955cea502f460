"""A client's people with an account, for its administrators."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from libs.shared import web
from services.portal.actions import users
from services.portal.api.access import ResourcesOf
from services.portal.api.clients import Email, Line
from services.portal.api.recipients import Administrator, admit_administrator
from services.portal.rules.people import Person

router = APIRouter(tags=["users"], route_class=web.behind(admit_administrator))

ClientRole = Literal["administrator", "user"]


class UserRequest(BaseModel):
    """Somebody who gets an account."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    email: Email
    locale: Literal["fr", "en"] = "fr"
    role: ClientRole = "user"


class ChangeRequest(BaseModel):
    """What becomes another: a name, a role, a language."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    role: ClientRole | None = None
    locale: Literal["fr", "en"] | None = None


@router.get("/users")
async def list_users(administrator: Administrator, resources: ResourcesOf) -> dict[str, Any]:
    """Everybody with an account, administrators first, and how many seats there are."""
    listed = await users.list_users(resources.pool, administrator)
    return {"seats": listed.seats, "users": [_user(one) for one in listed.people]}


@router.post("/users", status_code=201)
async def open_user(
    body: UserRequest, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """Gives somebody an account and mails them a one-time password."""
    person = await users.open_user(
        resources.pool,
        resources.passwords,
        resources.mail_key,
        administrator,
        name=body.name,
        email=body.email,
        locale=body.locale,
        role=body.role,
    )
    return _user(person)


@router.patch("/users/{user_id}")
async def change_user(
    user_id: UUID, body: ChangeRequest, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """Renames somebody, moves the role, or sets the language of their pages and mails."""
    return _user(
        await users.change_user(
            resources.pool, administrator, user_id, body.name, body.role, body.locale
        )
    )


@router.post("/users/{user_id}/reset", status_code=204)
async def reset_password(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Mails somebody a one-time password; the present one ends at once, with all sign-ins."""
    await users.reset_password(
        resources.pool, resources.passwords, resources.mail_key, administrator, user_id
    )
    return Response(status_code=204)


@router.delete("/users/{user_id}/second-factors", status_code=204)
async def forget_factors(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes all second factors of somebody away who lost them; their sign-ins end at once."""
    await users.forget_factors(resources.pool, administrator, user_id)
    return Response(status_code=204)


@router.delete("/users/{user_id}", status_code=204)
async def close_user(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes an account away; whoever had it is signed out at once."""
    await users.close_user(resources.pool, administrator, user_id)
    return Response(status_code=204)


def _user(person: Person) -> dict[str, Any]:
    return {
        "user_id": person.user_id,
        "name": person.name,
        "email": person.email,
        "role": person.role,
        "locale": person.locale,
    }
