"""What operators have before them, by program: what waits, overage cases, second looks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.portal.actions import approvals, desk, machines, notes, overages, runs, users
from services.portal.actions.clients import terms
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import NoteRequest, ReasonRequest, TermsRequest
from services.portal.api.users import UserRequest
from services.portal.store.notes import Note

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


@router.get("/queue")
async def list_queue(
    operator: Operator,
    resources: ResourcesOf,
    cause: Annotated[str | None, Query(max_length=40)] = None,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> dict[str, Any]:
    """Open incidents, the worst first, 50 at a time; open overage cases; what waits for a second
    operator."""
    found = await desk.list_queue(resources, operator, cause, page)
    return {
        "waiting": [asdict(one) for one in found.waiting],
        "in_hand": [asdict(one) for one in found.in_hand],
        "counts": found.counts,
        "following": found.following,
        "overages": [asdict(one) for one in found.overages],
        "approvals": [asdict(one) for one in found.approvals],
    }


@router.get("/overages")
async def list_overages(operator: Operator, resources: ResourcesOf) -> dict[str, Any]:
    """Every open overage case, the one that is due next first."""
    found = await overages.list_open(resources.pool, operator)
    return {"overages": [{**asdict(one), "due_at": one.due_at} for one in found]}


@router.get("/approvals")
async def list_approvals(operator: Operator, resources: ResourcesOf) -> dict[str, Any]:
    """What waits for a second operator, the oldest first."""
    found = await approvals.list_waiting(resources, operator)
    return {"approvals": [asdict(one) for one in found]}


@router.post("/approvals/{approval_id}/confirm")
async def confirm(approval_id: UUID, operator: Operator, resources: ResourcesOf) -> dict[str, Any]:
    """Does what another operator asked for, in their name."""
    return asdict(await approvals.confirm(resources, operator, approval_id))


@router.post("/approvals/{approval_id}/decline", status_code=204)
async def decline(approval_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """Leaves it undone; whoever asked takes it back by this as well."""
    await approvals.decline(resources, operator, approval_id)
    return Response(status_code=204)


@router.patch("/tenants/{tenant_id}")
async def change_terms(
    tenant_id: UUID, body: TermsRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """Sets a client's name, language, time zone or retention, and tells every service."""
    after = await terms.change_terms(
        resources.pool, operator, tenant_id, **body.model_dump(exclude_none=True)
    )
    return {
        "tenant_id": after.tenant_id,
        "name": after.name,
        "locale": after.locale,
        "timezone": after.timezone,
        "retention_days": after.retention_days,
    }


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
) -> dict[str, Any]:
    """A client's plans with their last runs, what holds their expiry, open codes, incidents,
    notes."""
    found = await desk.view_client(resources.pool, operator, tenant_id, 2)
    return {
        "plans": [
            {
                **asdict(plan),
                "late_since": found.late.get(plan.plan_id),
                "last_run": next(
                    (
                        {
                            "number": run.number,
                            "outcome": run.outcome,
                            "reason": run.reason.as_dict() if run.reason else None,
                            "finished_at": run.finished_at,
                        }
                        for run in found.runs[plan.plan_id]
                        if run.outcome
                    ),
                    None,
                ),
            }
            for plan in found.plans
        ],
        "holds": [
            {**asdict(one), "reason": one.reason.as_dict() if one.reason else None}
            for one in found.holds
        ],
        "codes": found.codes,
        "incidents": found.incidents,
        "notes": found.notes,
    }


@router.post("/tenants/{tenant_id}/users", status_code=201)
async def open_user(
    tenant_id: UUID, body: UserRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
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
    return {"user_id": person.user_id, "email": person.email, "role": person.role}


@router.delete("/tenants/{tenant_id}/users/{user_id}", status_code=204)
async def close_user(
    tenant_id: UUID, user_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Takes an account of a client away."""
    await users.close_user(resources.pool, operator.within(tenant_id), user_id)
    return Response(status_code=204)


@router.delete("/tenants/{tenant_id}/enrolments/{enrolment_id}", status_code=204)
async def withdraw_code(
    tenant_id: UUID, enrolment_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Lets no machine in by a code any more."""
    await machines.withdraw_code(resources.pool, operator, tenant_id, enrolment_id)
    return Response(status_code=204)


@router.post("/tenants/{tenant_id}/plans/{plan}/clear", status_code=202)
async def clear_holds(
    tenant_id: UUID, plan: str, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, UUID]:
    """Says that what is unusual of a plan was meant: its versions expire again."""
    decided = await runs.clear_holds(resources.pool, operator, tenant_id, plan, body.reason)
    return {"decision_id": decided}
