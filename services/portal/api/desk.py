"""What operators have before them, by program: what waits, overage cases, second looks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from libs.shared.events import Locale, Outcome
from libs.shared.reasons import Reason
from services.portal.actions import approvals, desk, notes, overages, runs, users
from services.portal.actions.clients import listing, terms
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.answers import ApprovalAsked, DecisionTaken, UserShown
from services.portal.api.clients import NoteRequest, ReasonRequest, TermsRequest
from services.portal.api.users import ChangeForClient, UserRequest, show_user
from services.portal.rules.clients import TROUBLES, DayKind, Trouble
from services.portal.rules.overages import Answer
from services.portal.rules.people import Role
from services.portal.store.approvals import Approval
from services.portal.store.desk import Waiting
from services.portal.store.incidents import Incident
from services.portal.store.machines import Code
from services.portal.store.notes import Note
from services.portal.store.overages import Overdrawn
from services.portal.store.runs.holds import Hold

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class Terms(BaseModel):
    """What a contract says."""

    tenant_id: UUID
    name: str
    locale: Locale
    timezone: str
    retention_days: int


class OverdrawnShown(BaseModel):
    """An open case with its client; due_at: when growth ends unless something is done."""

    tenant_id: UUID
    client: str
    contracted_bytes: int
    stored_bytes: int
    opened_at: datetime
    deadline_at: datetime
    final_at: datetime
    answer: Answer | None
    blocked: bool
    due_at: datetime


class OverdrawnList(BaseModel):
    """Every open overage case, the one that is due next first."""

    overages: list[OverdrawnShown]


class QueueShown(BaseModel):
    """What waits; counts: by cause, of what nobody has in hand."""

    waiting: list[Waiting]
    in_hand: list[Waiting]
    counts: dict[str, int]
    following: bool
    overages: list[Overdrawn]
    approvals: list[Approval]


class ClientDays(BaseModel):
    """How the last days of a client went."""

    tenant_id: UUID
    name: str
    state: Trouble
    days: dict[date, DayKind]


class DaysOfClients(BaseModel):
    """Clients with their days; counts: by state."""

    days: list[date]
    clients: list[ClientDays]
    counts: dict[str, int]
    pages: int


class ApprovalList(BaseModel):
    """What waits for a second operator, the oldest first."""

    approvals: list[Approval]


class LastRun(BaseModel):
    """How the last run of a plan ended."""

    number: int
    outcome: Outcome | None
    reason: Reason | None
    finished_at: datetime | None


class PlanOfClient(BaseModel):
    """A plan, whether its run is late, and how the last one ended."""

    plan_id: UUID
    name: str
    hostname: str
    agent_id: UUID
    folders: list[str]
    schedule: str
    timezone: str
    recipients: list[str]
    reports: bool
    last_restore_point: int | None
    withdrawn_at: datetime | None
    late_since: datetime | None
    last_run: LastRun | None


class ClientOverview(BaseModel):
    """What operators see of a client."""

    plans: list[PlanOfClient]
    holds: list[Hold]
    codes: list[Code]
    incidents: list[Incident]
    notes: list[Note]


class UserOpened(BaseModel):
    """Who has an account now."""

    user_id: UUID
    email: str
    role: Role


@router.get("/queue")
async def list_queue(
    operator: Operator,
    resources: ResourcesOf,
    cause: Annotated[str | None, Query(max_length=40)] = None,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> QueueShown:
    """Open incidents, the worst first, 20 at a time; open overage cases; what waits for a second
    operator."""
    found = await desk.list_queue(resources, operator, cause, page)
    return QueueShown(
        waiting=found.waiting,
        in_hand=found.in_hand,
        counts=found.counts,
        following=found.following,
        overages=found.overages,
        approvals=found.approvals,
    )


@router.get("/overages")
async def list_overages(operator: Operator, resources: ResourcesOf) -> OverdrawnList:
    """Every open overage case, the one that is due next first."""
    found = await overages.list_open(resources.pool, operator)
    return OverdrawnList(
        overages=[OverdrawnShown(**asdict(one), due_at=one.due_at) for one in found]
    )


@router.get("/days")
async def list_days(
    operator: Operator,
    resources: ResourcesOf,
    search: Annotated[str, Query(alias="q", max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> DaysOfClients:
    """Clients, the worst first, twenty-five at a time, with how each of their last days went."""
    trouble = next((one for one in TROUBLES if one == state), None)
    found = await listing.list_page(
        resources.pool, operator, search=search, trouble=trouble, page=page, by_days=True
    )
    return DaysOfClients(
        days=found.days,
        clients=[
            ClientDays(
                tenant_id=one.tenant_id,
                name=one.name,
                state=state_of,
                days=found.kinds.get(one.tenant_id, {}),
            )
            for one, state_of in found.clients
        ],
        counts={str(state): number for state, number in found.counts.items()},
        pages=found.pages,
    )


@router.get("/approvals")
async def list_approvals(operator: Operator, resources: ResourcesOf) -> ApprovalList:
    """What waits for a second operator, the oldest first."""
    found = await approvals.list_waiting(resources, operator)
    return ApprovalList(approvals=found)


@router.post("/approvals/{approval_id}/confirm")
async def confirm(approval_id: UUID, operator: Operator, resources: ResourcesOf) -> Approval:
    """Does what another operator asked for, in their name."""
    return await approvals.confirm(resources, operator, approval_id)


@router.post("/approvals/{approval_id}/decline", status_code=204)
async def decline(approval_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """Leaves it undone; whoever asked takes it back by this as well."""
    await approvals.decline(resources, operator, approval_id)
    return Response(status_code=204)


@router.patch("/tenants/{tenant_id}")
async def change_terms(
    tenant_id: UUID, body: TermsRequest, operator: Operator, resources: ResourcesOf
) -> Terms:
    """Sets a client's name, language, time zone or retention, and tells every service."""
    after = await terms.change_terms(
        resources.pool, operator, tenant_id, **body.model_dump(exclude_none=True)
    )
    return Terms(
        tenant_id=after.tenant_id,
        name=after.name,
        locale=after.locale,
        timezone=after.timezone,
        retention_days=after.retention_days,
    )


@router.post("/tenants/{tenant_id}/notes", status_code=201)
async def write_note(
    tenant_id: UUID, body: NoteRequest, operator: Operator, resources: ResourcesOf
) -> Note:
    """Keeps a note of a client, which no client sees."""
    return await notes.write(resources.pool, operator, tenant_id, body.text)


@router.delete("/tenants/{tenant_id}/notes/{note_id}", status_code=204)
async def remove_note(
    tenant_id: UUID, note_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Takes a note away."""
    await notes.remove(resources.pool, operator, tenant_id, note_id)
    return Response(status_code=204)


@router.get("/tenants/{tenant_id}/overview")
async def view_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> ClientOverview:
    """A client's plans with their last runs, what holds their expiry, open codes, incidents,
    notes."""
    found = await desk.view_client(resources.pool, operator, tenant_id, 2)
    return ClientOverview(
        plans=[
            PlanOfClient(
                **asdict(plan),
                late_since=found.late.get(plan.plan_id),
                last_run=next(
                    (
                        LastRun(
                            number=run.number,
                            outcome=run.outcome,
                            reason=run.reason,
                            finished_at=run.finished_at,
                        )
                        for run in found.runs[plan.plan_id]
                        if run.outcome
                    ),
                    None,
                ),
            )
            for plan in found.plans
        ],
        holds=found.holds,
        codes=found.codes,
        incidents=found.incidents,
        notes=found.notes,
    )


@router.post("/tenants/{tenant_id}/users", status_code=201)
async def open_user(
    tenant_id: UUID, body: UserRequest, operator: Operator, resources: ResourcesOf
) -> UserOpened:
    """Gives somebody of a client an account, as its administrators can."""
    person = await approvals.open_user(
        resources,
        operator,
        tenant_id,
        name=body.name,
        email=body.email,
        locale=body.locale,
        role=body.role,
    )
    return UserOpened(user_id=person.user_id, email=person.email, role=person.role)


@router.patch("/tenants/{tenant_id}/users/{user_id}")
async def change_user(
    tenant_id: UUID,
    user_id: UUID,
    body: ChangeForClient,
    operator: Operator,
    resources: ResourcesOf,
    response: Response,
) -> UserShown | ApprovalAsked:
    """Renames somebody of a client, moves the role, or sets the language.

    202 with `approval_id`, and nothing is done, where the role takes a second operator."""
    done = await approvals.change_user(
        resources,
        operator,
        tenant_id,
        user_id,
        body.reason,
        name=body.name,
        role=body.role,
        locale=body.locale,
    )
    if isinstance(done, Approval):
        response.status_code = 202
        return ApprovalAsked(approval_id=done.approval_id)
    return show_user(done)


@router.post("/tenants/{tenant_id}/users/{user_id}/sign-out", status_code=204)
async def sign_out(
    tenant_id: UUID, user_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Ends all sign-ins of somebody of a client, and the tokens of their programs."""
    await users.sign_out(resources.pool, operator.within(tenant_id), user_id)
    return Response(status_code=204)


@router.delete("/tenants/{tenant_id}/users/{user_id}", status_code=204)
async def close_user(
    tenant_id: UUID,
    user_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    reason: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Takes an account of a client away.

    202 with `approval_id` where that takes a second operator, who reads the `reason`."""
    asked = await approvals.close_user(resources, operator, tenant_id, user_id, reason)
    if asked:
        return JSONResponse({"approval_id": str(asked.approval_id)}, 202)
    return Response(status_code=204)


@router.post("/tenants/{tenant_id}/plans/{plan}/clear", status_code=202)
async def clear_holds(
    tenant_id: UUID, plan: str, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Says that what is unusual of a plan was meant: its versions expire again."""
    decided = await runs.clear_holds(resources.pool, operator, tenant_id, plan, body.reason)
    return DecisionTaken(decision_id=decided)
