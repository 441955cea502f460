"""How a client stands against its contract: for operators, and for its own administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from libs.shared import web
from services.portal.actions import overages
from services.portal.actions.overages import Standing
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import Line, ReasonRequest
from services.portal.api.recipients import Administrator, admit_administrator
from services.portal.rules.overages import Answer

operators = APIRouter(tags=["operators"], route_class=OperatorFirst)
administrators = APIRouter(tags=["quota"], route_class=web.behind(admit_administrator))


class ExtensionRequest(BaseModel):
    """Until when growth goes on without an answer, and why: shown to the client."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime
    reason: Line


class AnswerRequest(BaseModel):
    """What the client will do: order more, reduce, or be called."""

    model_config = ConfigDict(extra="forbid")

    answer: Answer


@operators.get("/tenants/{tenant_id}/quota")
async def show_quota(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> dict[str, Any]:
    """What a client stores of what it contracted, and its open case."""
    return _describe(await overages.view(resources.pool, operator, tenant_id))


@operators.post("/tenants/{tenant_id}/quota/extend", status_code=202)
async def extend(
    tenant_id: UUID, body: ExtensionRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, UUID]:
    """Gives the open case a later deadline."""
    decision_id = await overages.decide(
        resources.pool, operator, tenant_id, "extend", body.reason, body.until
    )
    return {"decision_id": decision_id}


@operators.post("/tenants/{tenant_id}/quota/block", status_code=202)
async def block(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, UUID]:
    """Stops growth at what is held."""
    decision_id = await overages.decide(resources.pool, operator, tenant_id, "block", body.reason)
    return {"decision_id": decision_id}


@operators.post("/tenants/{tenant_id}/quota/unblock", status_code=202)
async def unblock(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, UUID]:
    """Lets a client grow again."""
    decision_id = await overages.decide(resources.pool, operator, tenant_id, "unblock", body.reason)
    return {"decision_id": decision_id}


@administrators.get("/quota")
async def show_own_quota(administrator: Administrator, resources: ResourcesOf) -> dict[str, Any]:
    """The same of one's own company."""
    return _describe(await overages.view(resources.pool, administrator, administrator.tenant_id))


@administrators.post("/quota/answer", status_code=204)
async def answer(
    body: AnswerRequest, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Answers the open case."""
    await overages.answer(resources.pool, administrator, body.answer)
    return Response(status_code=204)


router = APIRouter()
router.include_router(operators)
router.include_router(administrators)


def _describe(standing: Standing) -> dict[str, Any]:
    volume, case = standing.volume, standing.case
    return {
        "stored_bytes": volume.stored_bytes,
        "protected_bytes": volume.protected_bytes,
        "contracted_bytes": standing.tenant.contracted_bytes,
        "ceiling_bytes": volume.ceiling_bytes,
        "blocked": volume.blocked,
        "reason": volume.blocked_reason,
        "case": case
        and {
            "case_id": case.case_id,
            "opened_at": case.opened_at,
            "passed_at": case.passed_at,
            "deadline_at": case.deadline_at,
            "final_at": case.final_at,
            "answer": case.answer,
            "reached_on": case.reached_on,
            "weekly_bytes": case.weekly_bytes,
            "fills": case.fills,
        },
        "decisions": standing.decisions,
    }
