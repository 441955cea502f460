"""Events that wait for a person in some service's inbox."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.portal.actions import parked
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import ReasonRequest
from services.portal.store.parked import Decision, Parked

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class ParkedDecided(BaseModel):
    """What was decided of an event."""

    service: str
    event_id: UUID
    decision: Decision


class ParkedLine(BaseModel):
    """An event that waits; summary: the last line of its error; client: the name, '' for none."""

    service: str
    event_id: UUID
    event_type: str
    tenant_id: UUID
    attempts: int
    parked_at: datetime
    summary: str
    client: str
    decision: Decision | None


class ParkedList(BaseModel):
    """Every event that waits, the oldest first."""

    parked: list[ParkedLine]


@router.get("/parked")
async def list_parked(operator: Operator, resources: ResourcesOf) -> ParkedList:
    """Every event that waits, the oldest first; `summary` is the error's last line."""
    found = await parked.list_parked(resources.pool, operator)
    return ParkedList(parked=[_summed_up(one) for one in found])


@router.get("/parked/{service}/{event_id}")
async def view_parked(
    service: str, event_id: UUID, operator: Operator, resources: ResourcesOf
) -> Parked:
    """One event, with its error in full."""
    return await parked.view_parked(resources.pool, operator, service, event_id)


@router.post("/parked/{service}/{event_id}/replay", status_code=202)
async def replay(
    service: str, event_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> ParkedDecided:
    """Has the service handle it again, with all its tries."""
    return await _decide(resources, operator, service, event_id, "replay", body.reason)


@router.post("/parked/{service}/{event_id}/drop", status_code=202)
async def drop(
    service: str, event_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> ParkedDecided:
    """Has the service count it as done without handling it."""
    return await _decide(resources, operator, service, event_id, "drop", body.reason)


async def _decide(
    resources: ResourcesOf,
    operator: Operator,
    service: str,
    event_id: UUID,
    decision: Decision,
    reason: str,
) -> ParkedDecided:
    await parked.decide(resources.pool, operator, service, event_id, decision, reason)
    return ParkedDecided(service=service, event_id=event_id, decision=decision)


def _summed_up(one: Parked) -> ParkedLine:
    lines = one.error.strip().splitlines()
    return ParkedLine(
        service=one.service,
        event_id=one.event_id,
        event_type=one.event_type,
        tenant_id=one.tenant_id,
        attempts=one.attempts,
        parked_at=one.parked_at,
        summary=lines[-1] if lines else "",
        client=one.client,
        decision=one.decision,
    )
