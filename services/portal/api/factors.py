"""Second factors of one's own by program; a passkey is made by a browser alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import errors, web
from services.portal.actions import factors
from services.portal.actions.people import signing
from services.portal.api.access import (
    ResourcesOf,
    SignedIn,
    VisitorOf,
    admit_anybody,
    check_password_known,
)

router = APIRouter(tags=["sign-in"], route_class=web.behind(admit_anybody))

Password = Annotated[str, Field(min_length=1, max_length=4096)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PasswordAgain(_Body):
    """What outlasts a sign-in, or weakens it, asks for the password once more."""

    password: Password


class TotpCode(_Body):
    """What the app shows at this moment."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class Removal(PasswordAgain):
    """Which passkey is taken away; null for the app."""

    passkey_id: UUID | None = None


class PasskeyShown(BaseModel):
    """A passkey, as its owner named it."""

    passkey_id: UUID
    label: str
    added_at: datetime
    last_at: datetime | None


class FactorsShown(BaseModel):
    """What somebody has beside the password; recovery_codes: how many are left."""

    totp: bool
    recovery_codes: int
    passkeys: list[PasskeyShown]


class TotpSetup(BaseModel):
    """The secret of an app, as text and as what a QR code says; it counts once confirmed."""

    secret: str
    address: str


class RecoveryCodes(BaseModel):
    """New codes, shown this once; none where there were some already."""

    recovery_codes: list[str]


@router.get("/second-factors")
async def show_factors(person: SignedIn, resources: ResourcesOf) -> FactorsShown:
    """What the asker has beside the password."""
    found = await factors.find(resources.pool, person)
    return FactorsShown(
        totp=found.has_totp,
        recovery_codes=found.recovery_codes,
        passkeys=[
            PasskeyShown(
                passkey_id=one.passkey_id,
                label=one.label,
                added_at=one.added_at,
                last_at=one.last_at,
            )
            for one in found.passkeys
        ],
    )


@router.post("/second-factors/totp", status_code=201)
async def begin_totp(
    body: PasswordAgain,
    request: Request,
    person: SignedIn,
    resources: ResourcesOf,
    visitor: VisitorOf,
) -> TotpSetup:
    """Makes the secret of an app that shows codes; it counts once a code of it came."""
    check_password_known(request)
    await signing.confirm_person(resources.door, person, body.password, visitor)
    setup = await factors.begin_totp(resources.pool, resources.mail_key, person, resources.name)
    if setup is None:
        raise errors.Conflict("An app is set up already; take it away first.")
    return TotpSetup(secret=setup.secret, address=setup.address)


@router.post("/second-factors/totp/confirm")
async def confirm_totp(
    body: TotpCode, request: Request, person: SignedIn, resources: ResourcesOf, visitor: VisitorOf
) -> RecoveryCodes:
    """Takes the first code of the app: sign-ins ask for one from now on."""
    check_password_known(request)
    codes = await factors.confirm_totp(
        resources.pool, resources.mail_key, person, visitor.address, "", body.code
    )
    return RecoveryCodes(recovery_codes=codes)


@router.post("/second-factors/recovery-codes", status_code=201)
async def make_codes(
    body: PasswordAgain,
    request: Request,
    person: SignedIn,
    resources: ResourcesOf,
    visitor: VisitorOf,
) -> RecoveryCodes:
    """Makes ten new recovery codes in the place of all that there were."""
    check_password_known(request)
    await signing.confirm_person(resources.door, person, body.password, visitor)
    codes = await factors.make_codes(resources.pool, person, visitor.address)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/second-factors/remove", status_code=204)
async def remove(
    body: Removal, request: Request, person: SignedIn, resources: ResourcesOf, visitor: VisitorOf
) -> Response:
    """Takes the app away, or a passkey; an operator keeps the last one outside development."""
    check_password_known(request)
    await signing.confirm_person(resources.door, person, body.password, visitor)
    is_needed = resources.is_production and person.is_operator
    if not await factors.remove(
        resources.pool, person, visitor.address, body.passkey_id, is_needed=is_needed
    ):
        raise errors.NotFound("second factor")
    return Response(status_code=204)
