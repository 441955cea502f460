"""A client's people, for operators: let in, changed, given a new password, signed out, closed."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from libs.shared import errors
from libs.shared.events import Locale
from services.portal.actions import approvals, users
from services.portal.actions.clients.opening import EmailTaken
from services.portal.api.access import ResourcesOf
from services.portal.pages.desk.one import back
from services.portal.pages.sessions import OperatorsForm, Sent, field, line
from services.portal.rules.orders.refusals import OrderRefused
from services.portal.rules.people import Role
from services.portal.rules.recipients import NotAnAddress, read_address
from services.portal.rules.users import ClientOpens, LastAdministrator, SeatsUsed, WhyMissing
from services.portal.store.approvals import Approval

router = APIRouter()


@router.post("/clients/{tenant_id}/reset")
async def reset_password(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Mails somebody of the client a new one-time password.

    Their second factors are taken away as well where the form says that they are lost."""
    form = sent.fields
    email, reason = line(form, "email", 320), line(form, "reason")
    asked = await approvals.reset_password(
        resources,
        sent.actor,
        email,
        reason,
        tenant_id,
        forget_factors=bool(field(form, "forget_factors")),
    )
    return back(tenant_id, "asked" if asked else "sent")


@router.post("/clients/{tenant_id}/people")
async def open_user(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Gives somebody of the client an account, as its administrators can."""
    name = line(sent.fields, "name")
    try:
        if not name:
            return back(tenant_id, NotAnAddress.code)
        await approvals.open_user(
            resources,
            sent.actor,
            tenant_id,
            name=name,
            email=read_address(field(sent.fields, "email")),
            locale=_locale(sent),
            role=_role(sent),
        )
    except (NotAnAddress, EmailTaken, SeatsUsed, OrderRefused, ClientOpens) as refusal:
        return back(tenant_id, refusal.code)
    return back(tenant_id, "opened")


@router.post("/clients/{tenant_id}/people/{user_id}/{change}")
async def change_user(
    tenant_id: UUID, user_id: UUID, change: str, sent: Sent, resources: ResourcesOf
) -> Response:
    """Renames somebody, sets role and language, signs them out, or takes the account away."""
    actor = sent.actor.within(tenant_id)
    reason = line(sent.fields, "reason")
    try:
        match change:
            case "save":
                done = await approvals.change_user(
                    resources,
                    sent.actor,
                    tenant_id,
                    user_id,
                    reason,
                    name=line(sent.fields, "name") or None,
                    role=_role(sent),
                    locale=_locale(sent),
                )
                said = "asked" if isinstance(done, Approval) else "saved"
            case "sign-out":
                await users.sign_out(resources.pool, actor, user_id)
                said = "signed-out"
            case "close":
                asked = await approvals.close_user(
                    resources, sent.actor, tenant_id, user_id, reason
                )
                said = "asked" if asked else "closed"
            case _:
                raise errors.NotFound
    except LastAdministrator as refusal:
        return back(tenant_id, refusal.code)
    except WhyMissing:
        return back(tenant_id, "reason-missing")
    return back(tenant_id, said)


def _locale(sent: OperatorsForm) -> Locale:
    return "en" if field(sent.fields, "locale") == "en" else "fr"


def _role(sent: OperatorsForm) -> Role:
    return "administrator" if field(sent.fields, "role") == "administrator" else "user"
