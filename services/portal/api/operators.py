"""The provider's operators, by program."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from libs.shared.events import Locale
from services.portal.actions import operators
from services.portal.actions.operators import Issued
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import Email, Line
from services.portal.rules.log.chain import Duty
from services.portal.rules.people import Person

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class OperatorRequest(BaseModel):
    """Another operator, and what they are there for."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    email: Email
    locale: Literal["fr", "en"] = "fr"
    duty: Duty


class OperatorChange(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    duty: Duty | None = None


class OperatorShown(BaseModel):
    """An operator, and what they are there for."""

    user_id: UUID
    name: str
    email: str
    locale: Locale
    duty: Duty | None


class OperatorIssued(OperatorShown):
    """An operator with a one-time password, which is told this once."""

    password: str


class OperatorList(BaseModel):
    """Every operator."""

    operators: list[OperatorShown]


@router.get("/operators")
async def list_operators(operator: Operator, resources: ResourcesOf) -> OperatorList:
    """Every operator with their duty."""
    found = await operators.list_operators(resources.pool, operator)
    return OperatorList(operators=[_tell(one) for one in found])


@router.post("/operators", status_code=201)
async def let_in(
    body: OperatorRequest, operator: Operator, resources: ResourcesOf
) -> OperatorIssued:
    """Lets another operator in; `password` is good once, for 24 hours, and told this once."""
    return _issued(
        await operators.let_in(
            resources.pool,
            resources.passwords,
            operator,
            name=body.name,
            email=body.email,
            locale=body.locale,
            duty=body.duty,
        )
    )


@router.patch("/operators/{user_id}")
async def change(
    user_id: UUID, body: OperatorChange, operator: Operator, resources: ResourcesOf
) -> OperatorShown:
    """Sets an operator's name or duty."""
    return _tell(await operators.change(resources.pool, operator, user_id, body.name, body.duty))


@router.post("/operators/{user_id}/reset")
async def reset(user_id: UUID, operator: Operator, resources: ResourcesOf) -> OperatorIssued:
    """Gives an operator a new one-time password, which is told this once."""
    return _issued(await operators.reset(resources.pool, resources.passwords, operator, user_id))


@router.delete("/operators/{user_id}", status_code=204)
async def let_go(user_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """Closes an operator's account, signed out everywhere at once."""
    await operators.let_go(resources.pool, operator, user_id)
    return Response(status_code=204)


def _tell(one: Person) -> OperatorShown:
    return OperatorShown(
        user_id=one.user_id, name=one.name, email=one.email, locale=one.locale, duty=one.duty
    )


def _issued(issued: Issued) -> OperatorIssued:
    return OperatorIssued(**_tell(issued.person).model_dump(), password=issued.password)
