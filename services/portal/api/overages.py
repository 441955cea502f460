"""How a client stands against its contract: for operators, and for its own administrators."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from libs.shared import web
from libs.shared.events import PlanVolume
from services.portal.actions import approvals, overages
from services.portal.actions.overages import Standing
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)
from services.portal.api.answers import ApprovalAsked, DecisionTaken
from services.portal.api.clients import Line, ReasonRequest
from services.portal.rules.overages import Answer
from services.portal.store.approvals import Approval
from services.portal.store.overages import Decided
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


class DayList(BaseModel):
    """What was held on each day; reached_on: when the contract will be reached."""

    days: list[Day]
    reached_on: date | None


class OverageCase(BaseModel):
    """An open case; fills: what fills the volume most, by plan."""

    case_id: UUID
    opened_at: datetime
    passed_at: datetime
    deadline_at: datetime
    final_at: datetime
    answer: Answer | None
    reached_on: date | None
    weekly_bytes: int | None
    fills: list[PlanVolume]


class QuotaShown(BaseModel):
    """What is stored of what was contracted; ceiling_bytes: how far it may grow."""

    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int
    ceiling_bytes: int | None
    blocked: bool
    reason: str
    ended_at: datetime | None
    case: OverageCase | None
    decisions: list[Decided]


@operators.get("/tenants/{tenant_id}/quota")
async def show_quota(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> QuotaShown:
    """What a client stores of what it contracted, and its open case."""
    return _describe(await overages.view(resources.pool, operator, tenant_id))


@operators.get("/tenants/{tenant_id}/volume/days")
async def list_days(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    first: First = None,
    last: Last = None,
) -> DayList:
    """What a client held on each day, for charts, and when its contract will be reached."""
    return _days(*await overages.list_days(resources.pool, operator, tenant_id, first, last))


@operators.post("/tenants/{tenant_id}/quota/extend", status_code=202)
async def extend(
    tenant_id: UUID, body: ExtensionRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Gives the open case a later deadline."""
    decision_id = await overages.decide(
        resources.pool, operator, tenant_id, "extend", body.reason, body.until
    )
    return DecisionTaken(decision_id=decision_id)


@operators.post("/tenants/{tenant_id}/quota/block", status_code=202)
async def block(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Stops growth at what is held."""
    decision_id = await overages.decide(resources.pool, operator, tenant_id, "block", body.reason)
    return DecisionTaken(decision_id=decision_id)


@operators.post("/tenants/{tenant_id}/quota/unblock", status_code=202)
async def unblock(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> ApprovalAsked | DecisionTaken:
    """Lets a client grow again; `approval_id` where a second operator has to confirm it."""
    done = await approvals.unblock(resources, operator, tenant_id, body.reason)
    if isinstance(done, Approval):
        return ApprovalAsked(approval_id=done.approval_id)
    return DecisionTaken(decision_id=done)


@administrators.get("/quota")
async def show_own_quota(administrator: Administrator, resources: ResourcesOf) -> QuotaShown:
    """How one's own company stands against its contract."""
    return _describe(await overages.view(resources.pool, administrator, administrator.tenant_id))


@administrators.get("/volume/days")
async def list_own_days(
    administrator: Administrator, resources: ResourcesOf, first: First = None, last: Last = None
) -> DayList:
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


def _days(days: list[Day], reached_on: date | None) -> DayList:
    return DayList(days=days, reached_on=reached_on)


def _describe(standing: Standing) -> QuotaShown:
    volume, case = standing.volume, standing.case
    return QuotaShown(
        stored_bytes=volume.stored_bytes,
        protected_bytes=volume.protected_bytes,
        contracted_bytes=standing.tenant.contracted_bytes,
        ceiling_bytes=volume.ceiling_bytes,
        blocked=volume.blocked,
        reason=volume.blocked_reason,
        ended_at=volume.ended_at,
        case=OverageCase(
            case_id=case.case_id,
            opened_at=case.opened_at,
            passed_at=case.passed_at,
            deadline_at=case.deadline_at,
            final_at=case.final_at,
            answer=case.answer,
            reached_on=case.reached_on,
            weekly_bytes=case.weekly_bytes,
            fills=[PlanVolume.model_validate(one) for one in case.fills],
        )
        if case
        else None,
        decisions=standing.decisions,
    )
