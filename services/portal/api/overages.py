"""How a client stands against its contract: for operators, and for its own administrators."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from libs.shared import web
from services.portal.actions import approvals, overages
from services.portal.actions.overages import Standing
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import Line, ReasonRequest
from services.portal.api.recipients import Administrator, admit_administrator
from services.portal.rules.overages import Answer
from services.portal.store.approvals import Approval
from services.portal.store.volume_days import Day

operators = APIRouter(tags=["operators"], route_class=OperatorFirst)
administrators = APIRouter(tags=["quota"], route_class=web.behind(admit_administrator))


First = Annotated[date | None, Query(alias="from", description="The first day; else a year ago.")]
Last = Annotated[date | None, Query(alias="to", description="The last day; else today.")]


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


@operators.get("/tenants/{tenant_id}/volume/days")
async def list_days(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    first: First = None,
    last: Last = None,
) -> dict[str, Any]:
    """What a client held on each day, for charts, and when its contract will be reached."""
    return _days(*await overages.list_days(resources.pool, operator, tenant_id, first, last))


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
    """Lets a client grow again; `approval_id` where a second operator has to confirm it."""
    done = await approvals.unblock(resources, operator, tenant_id, body.reason)
    if isinstance(done, Approval):
        return {"approval_id": done.approval_id}
    return {"decision_id": done}


@administrators.get("/quota")
async def show_own_quota(administrator: Administrator, resources: ResourcesOf) -> dict[str, Any]:
    """How one's own company stands against its contract."""
    return _describe(await overages.view(resources.pool, administrator, administrator.tenant_id))


@administrators.get("/volume/days")
async def list_own_days(
    administrator: Administrator, resources: ResourcesOf, first: First = None, last: Last = None
) -> dict[str, Any]:
    """What one's own company held on each day, and when its contract will be reached."""
    tenant_id = administrator.tenant_id
    return _days(*await overages.list_days(resources.pool, administrator, tenant_id, first, last))


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


def _days(days: list[Day], reached_on: date | None) -> dict[str, Any]:
    return {"days": [asdict(one) for one in days], "reached_on": reached_on}


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
