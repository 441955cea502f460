"""Who gets a plan's reports, for the client's administrators; those of all, for operators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from libs.shared.events import Locale
from services.portal.actions import approvals, recipients
from services.portal.actions.recipients import ALL, PlanAddresses
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)

router = APIRouter(tags=["recipients"], route_class=web.behind(admit_administrator))
operators = APIRouter(tags=["recipients"], route_class=OperatorFirst)


class RecipientRequest(BaseModel):
    """An address; with `ask` it is mailed a link first, and counts once that was accepted.

    locale: in which language it is written to, where not in the client's.
    """

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=320)]
    ask: bool = False
    locale: Locale | None = None


class RecipientOfClient(BaseModel):
    """An address; locale: in which language it is written to, where not in the client's."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=320)]
    locale: Locale | None = None


class RecipientShown(BaseModel):
    """An address of a plan."""

    email: str
    state: str
    declared: bool
    gets_reports: bool


class RecipientList(BaseModel):
    """Every address of a plan."""

    recipients: list[RecipientShown]


@router.get("/plans/{plan}/recipients")
async def list_recipients(
    plan: str, administrator: Administrator, resources: ResourcesOf
) -> RecipientList:
    """Every address that a plan's machine declares or an administrator named, and its state.

    plan: `all` for the addresses that get the reports of every plan.
    """
    return _show(await recipients.list_recipients(resources.pool, administrator, plan))


def _show(shown: PlanAddresses) -> RecipientList:
    return RecipientList(
        recipients=[
            RecipientShown(
                email=entry.email,
                state=entry.state,
                declared=entry.is_declared,
                gets_reports=entry.is_counted and shown.plan.reports,
            )
            for entry in shown.entries
        ]
    )


@router.post("/plans/{plan}/recipients", status_code=204)
async def add_recipient(
    plan: str, body: RecipientRequest, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Sends reports to an address from now on, or asks it first."""
    change = recipients.ask_recipient if body.ask else recipients.add_recipient
    await change(resources.pool, administrator, plan, body.email, body.locale)
    return Response(status_code=204)


@router.delete("/plans/{plan}/recipients/{email}", status_code=204)
async def remove_recipient(
    plan: str, email: str, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Sends reports there no more, whatever the machine declares."""
    await recipients.remove_recipient(resources.pool, administrator, plan, email)
    return Response(status_code=204)


@operators.get("/tenants/{tenant_id}/recipients")
async def list_of_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> RecipientList:
    """The addresses that get the reports of every plan of a client."""
    actor = operator.within(tenant_id)
    return _show(await recipients.list_recipients(resources.pool, actor, ALL))


@operators.post("/tenants/{tenant_id}/recipients", status_code=204)
async def add_for_client(
    tenant_id: UUID, body: RecipientOfClient, operator: Operator, resources: ResourcesOf
) -> Response:
    """Sends the reports of every plan of a client to an address."""
    await approvals.add_recipient(resources, operator, tenant_id, body.email, body.locale)
    return Response(status_code=204)


@operators.delete("/tenants/{tenant_id}/recipients/{email}", status_code=204)
async def remove_for_client(
    tenant_id: UUID, email: str, operator: Operator, resources: ResourcesOf
) -> Response:
    """Sends reports of a client there no more."""
    actor = operator.within(tenant_id)
    await recipients.remove_recipient(resources.pool, actor, ALL, email)
    return Response(status_code=204)
