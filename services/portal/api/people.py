"""Tokens for programs, and passwords."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from services.portal.actions.people import forgetting, signing
from services.portal.api.access import Acting, ResourcesOf, VisitorOf
from services.portal.rules.people import Role

router = APIRouter(tags=["sign-in"], route_class=web.Open)

Email = Annotated[str, Field(min_length=1, max_length=320)]
Code = Annotated[str, Field(max_length=64)]
"""What an app shows, or a recovery code; empty where there is no second factor."""
Password = Annotated[str, Field(min_length=1, max_length=4096)]


class TokenRequest(BaseModel):
    """A sign-in by a program."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Password
    totp: Code = ""


class TokenAnswer(BaseModel):
    """A bearer token, shown once; `tenant_id` is absent for operators."""

    token: str
    expires_at: datetime
    role: Role
    tenant_id: UUID | None


class PasswordRequest(BaseModel):
    """A change of password, which needs the present one."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: Password
    new_password: Password
    totp: Code = ""


@router.post("/tokens", status_code=201)
async def create_token(
    request: Request, body: TokenRequest, resources: ResourcesOf, visitor: VisitorOf
) -> TokenAnswer:
    """Exchanges a password for a bearer token."""
    signed = await signing.sign_in(
        resources.door,
        email=body.email,
        code=body.totp,
        password=body.password,
        visitor=visitor,
        kind="token",
        browser=request.headers.get("user-agent", ""),
    )
    person = signed.person
    return TokenAnswer(
        token=signed.token,
        expires_at=signed.expires_at,
        role=person.role,
        tenant_id=person.tenant_id,
    )


class ForgottenRequest(BaseModel):
    """Whose password was forgotten."""

    model_config = ConfigDict(extra="forbid")

    email: Email


@router.post("/password/forgotten", status_code=202)
async def tell_forgotten(
    body: ForgottenRequest, resources: ResourcesOf, visitor: VisitorOf
) -> Response:
    """Tells those who can have a new password sent, if there is such an account."""
    await forgetting.tell_forgotten(resources.pool, body.email, visitor)
    return Response(status_code=202)


@router.delete("/tokens", status_code=204)
async def drop_token(request: Request, actor: Acting, resources: ResourcesOf) -> Response:
    """Ends the token that the request carries."""
    token = request.headers["authorization"].partition(" ")[2].strip()
    await signing.sign_out(resources.pool, actor, token)
    return Response(status_code=204)


@router.post("/password", status_code=204)
async def change_password(
    body: PasswordRequest, resources: ResourcesOf, visitor: VisitorOf
) -> Response:
    """Replaces a password, one-time or not."""
    await signing.change_password(
        resources.door,
        email=body.email,
        code=body.totp,
        password=body.password,
        new_password=body.new_password,
        visitor=visitor,
    )
    return Response(status_code=204)
