"""What somebody is signed in with, and tokens for their programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import errors, web
from services.portal.actions import credentials
from services.portal.api.access import (
    Acting,
    ResourcesOf,
    SignedIn,
    admit_anybody,
    check_password_known,
)
from services.portal.rules.people import LONGEST_TOKEN_DAYS, Credential

router = APIRouter(tags=["sign-in"], route_class=web.behind(admit_anybody))


class PersonalTokenRequest(BaseModel):
    """A token for a program: what it is for, what it may do, and for how many days."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
    scope: Literal["read", "all"] = "read"
    days: Annotated[int, Field(ge=1, le=LONGEST_TOKEN_DAYS)] = 90


class PersonalToken(BaseModel):
    """A token, shown this once."""

    token: str
    credential_id: UUID
    expires_at: datetime


class SessionList(BaseModel):
    """Where the asker is signed in, the newest first."""

    sessions: list[Credential]


class TokenList(BaseModel):
    """Tokens for programs, without the tokens themselves."""

    tokens: list[Credential]


@router.get("/sessions")
async def list_sessions(request: Request, person: SignedIn, resources: ResourcesOf) -> SessionList:
    """Where the asker is signed in, by browsers and programs; the newest first."""
    held = await credentials.list_held(
        resources.pool, person, credentials.SESSIONS, request.state.credential
    )
    return SessionList(sessions=held)


@router.delete("/sessions", status_code=204)
async def sign_out_everywhere(
    request: Request, person: SignedIn, actor: Acting, resources: ResourcesOf
) -> Response:
    """Ends all sign-ins of the asker, this one too; personal tokens go on."""
    check_password_known(request)
    await credentials.sign_out_everywhere(resources.pool, person, actor.address)
    return Response(status_code=204)


@router.delete("/sessions/{credential_id}", status_code=204)
async def end_session(
    request: Request,
    credential_id: UUID,
    person: SignedIn,
    actor: Acting,
    resources: ResourcesOf,
) -> Response:
    """Ends one sign-in of the asker."""
    check_password_known(request)
    if not await credentials.end_session(resources.pool, person, actor.address, credential_id):
        raise errors.NotFound("session")
    return Response(status_code=204)


@router.get("/tokens/personal")
async def list_tokens(request: Request, person: SignedIn, resources: ResourcesOf) -> TokenList:
    """The asker's tokens for programs, without the tokens themselves."""
    held = await credentials.list_held(
        resources.pool, person, credentials.TOKENS, request.state.credential
    )
    return TokenList(tokens=held)


@router.post("/tokens/personal", status_code=201)
async def make_token(
    request: Request, body: PersonalTokenRequest, actor: Acting, resources: ResourcesOf
) -> PersonalToken:
    """Makes a token for a program; only who signed in by a password may."""
    check_password_known(request)
    token, made = await credentials.make_token(
        resources.pool, actor, body.label, body.scope, body.days
    )
    if made.expires_at is None:
        raise RuntimeError("a personal token has an end")
    return PersonalToken(token=token, credential_id=made.credential_id, expires_at=made.expires_at)


@router.delete("/tokens/personal/{credential_id}", status_code=204)
async def revoke_token(
    request: Request, credential_id: UUID, actor: Acting, resources: ResourcesOf
) -> Response:
    """Revokes a token at once."""
    check_password_known(request)
    await credentials.revoke_token(resources.pool, actor, credential_id)
    return Response(status_code=204)
