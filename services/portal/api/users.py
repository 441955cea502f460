"""A client's people with an account, for its administrators."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from services.portal.actions import users
from services.portal.api.access import (
    Acting,
    Administrator,
    ResourcesOf,
    SignedIn,
    admit_administrator,
    admit_anybody,
)
from services.portal.api.answers import UserShown
from services.portal.api.clients import Email, Line
from services.portal.rules.people import Person

administrators = APIRouter(tags=["users"], route_class=web.behind(admit_administrator))
anybody = APIRouter(tags=["users"], route_class=web.behind(admit_anybody))

ClientRole = Literal["administrator", "user"]


class UserRequest(BaseModel):
    """Somebody who gets an account."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    email: Email
    locale: Literal["fr", "en"] = "fr"
    role: ClientRole = "user"


class LanguageRequest(BaseModel):
    """In which language somebody sees pages and mails."""

    model_config = ConfigDict(extra="forbid")

    locale: Literal["fr", "en"]


class ChangeRequest(BaseModel):
    """What becomes another: a name, a role, a language."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    role: ClientRole | None = None
    locale: Literal["fr", "en"] | None = None


class ChangeForClient(ChangeRequest):
    """The same by an operator; reason: why, where another one has to confirm a role."""

    reason: Annotated[str, Field(max_length=200)] = ""


class UserList(BaseModel):
    """Everybody with an account, and how many seats there are."""

    seats: int
    users: list[UserShown]


@administrators.get("/users")
async def list_users(administrator: Administrator, resources: ResourcesOf) -> UserList:
    """Everybody with an account, administrators first, and how many seats there are."""
    listed = await users.list_users(resources.pool, administrator)
    return UserList(seats=listed.seats, users=[show_user(one) for one in listed.people])


@administrators.post("/users", status_code=201)
async def open_user(
    body: UserRequest, administrator: Administrator, resources: ResourcesOf
) -> UserShown:
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
    return show_user(person)


@administrators.patch("/users/{user_id}")
async def change_user(
    user_id: UUID, body: ChangeRequest, administrator: Administrator, resources: ResourcesOf
) -> UserShown:
    """Renames somebody, moves the role, or sets the language of their pages and mails."""
    return show_user(
        await users.change_user(
            resources.pool, administrator, user_id, body.name, body.role, body.locale
        )
    )


@administrators.post("/users/{user_id}/reset", status_code=204)
async def reset_password(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Mails somebody a one-time password; the present one ends at once, with all sign-ins."""
    await users.reset_password(
        resources.pool, resources.passwords, resources.mail_key, administrator, user_id
    )
    return Response(status_code=204)


@administrators.post("/users/{user_id}/sign-out", status_code=204)
async def sign_out(user_id: UUID, administrator: Administrator, resources: ResourcesOf) -> Response:
    """Ends all sign-ins of somebody, and the tokens of their programs."""
    await users.sign_out(resources.pool, administrator, user_id)
    return Response(status_code=204)


@administrators.delete("/users/{user_id}/second-factors", status_code=204)
async def forget_factors(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes all second factors of somebody away who lost them; their sign-ins end at once."""
    await users.forget_factors(resources.pool, administrator, user_id)
    return Response(status_code=204)


@administrators.delete("/users/{user_id}", status_code=204)
async def close_user(
    user_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes an account away; whoever had it is signed out at once."""
    await users.close_user(resources.pool, administrator, user_id)
    return Response(status_code=204)


@anybody.put("/language", status_code=204)
async def choose_language(
    body: LanguageRequest, person: SignedIn, actor: Acting, resources: ResourcesOf
) -> Response:
    """Sets the language of the asker's pages and mails."""
    await users.choose_language(resources.pool, person, actor.address, body.locale)
    return Response(status_code=204)


router = APIRouter()
router.include_router(administrators)
router.include_router(anybody)


def show_user(person: Person) -> UserShown:
    return UserShown(
        user_id=person.user_id,
        name=person.name,
        email=person.email,
        role=person.role,
        locale=person.locale,
    )
