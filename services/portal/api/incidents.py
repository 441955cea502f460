"""The hotline's incidents, for operators; requests for help and pauses, for clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.shared import web
from services.portal.actions import incidents
from services.portal.api.access import (
    Administrator,
    Client,
    Operator,
    OperatorFirst,
    ResourcesOf,
    SignedIn,
    admit_administrator,
    find_resources,
    find_signed_in,
)
from services.portal.api.answers import DecisionTaken
from services.portal.api.clients import Line, ReasonRequest
from services.portal.rules.incidents import LONGEST_MESSAGE, Which
from services.portal.store.incidents import Incident


class IncidentList(BaseModel):
    """Incidents."""

    incidents: list[Incident]


class PausedUntil(BaseModel):
    """Until when no run is expected."""

    until: datetime


class HelpAsked(BaseModel):
    """What was asked, by its id."""

    help_id: UUID


@asynccontextmanager
async def admit_anybody(request: Request) -> AsyncIterator[None]:
    """Lets whoever is signed in ask, before a body is read."""
    await find_signed_in(request, find_resources(request))
    yield


operators = APIRouter(tags=["operators"], route_class=OperatorFirst)
administrators = APIRouter(tags=["plans"], route_class=web.behind(admit_administrator))
clients = APIRouter(tags=["plans"], route_class=web.behind(admit_anybody))


class NoteRequest(BaseModel):
    """What is known by now; in the morning's mail."""

    model_config = ConfigDict(extra="forbid")

    note: Line


class HandRequest(BaseModel):
    """That somebody has an incident in hand, and what is known by now."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=500)] = ""


class UntilRequest(BaseModel):
    """Until when, and why."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime
    reason: Line


class HelpRequest(BaseModel):
    """What somebody wants to know of a run."""

    model_config = ConfigDict(extra="forbid")

    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""


@operators.get("/incidents")
async def list_incidents(
    operator: Operator,
    resources: ResourcesOf,
    state: Which = "open",
    tenant: UUID | None = None,
    cause: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> IncidentList:
    """The open incidents, the worst first, or the closed ones, the newest first."""
    found = await incidents.list_some(resources.pool, operator, state, tenant, cause, limit)
    return IncidentList(incidents=found)


@operators.get("/incidents/{incident_id}")
async def view_incident(incident_id: UUID, operator: Operator, resources: ResourcesOf) -> Incident:
    """One incident."""
    return await incidents.view(resources.pool, operator, incident_id)


@operators.post("/incidents/{incident_id}/acknowledge", status_code=202)
async def acknowledge(
    incident_id: UUID, body: HandRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Says that the operator has it in hand: nobody is told again, but each morning."""
    decided = await incidents.decide(
        resources.pool, operator, incident_id, "acknowledge", body.note
    )
    return DecisionTaken(decision_id=decided)


@operators.post("/incidents/{incident_id}/snooze", status_code=202)
async def snooze(
    incident_id: UUID, body: UntilRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Puts it off: nobody is told of it before that moment."""
    decided = await incidents.decide(
        resources.pool, operator, incident_id, "snooze", body.reason, body.until
    )
    return DecisionTaken(decision_id=decided)


@operators.post("/incidents/{incident_id}/close", status_code=202)
async def close(
    incident_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Closes it; what comes after that opens another."""
    decided = await incidents.decide(resources.pool, operator, incident_id, "close", body.reason)
    return DecisionTaken(decision_id=decided)


@operators.post("/incidents/{incident_id}/note", status_code=202)
async def note(
    incident_id: UUID, body: NoteRequest, operator: Operator, resources: ResourcesOf
) -> DecisionTaken:
    """Keeps what is known by now."""
    decided = await incidents.decide(resources.pool, operator, incident_id, "note", body.note)
    return DecisionTaken(decision_id=decided)


@operators.post("/tenants/{tenant_id}/plans/{plan}/pause", status_code=202)
async def pause(
    tenant_id: UUID, plan: str, body: UntilRequest, operator: Operator, resources: ResourcesOf
) -> PausedUntil:
    """Expects no run of a client's plan before a day, unless one comes."""
    await incidents.pause(resources.pool, operator, tenant_id, plan, body.until, body.reason)
    return PausedUntil(until=body.until)


@administrators.post("/plans/{plan}/pause", status_code=202)
async def pause_own(
    plan: str, body: UntilRequest, administrator: Administrator, resources: ResourcesOf
) -> PausedUntil:
    """Expects no run of one's own plan before a day, unless one comes."""
    await incidents.pause(
        resources.pool, administrator, administrator.tenant_id, plan, body.until, body.reason
    )
    return PausedUntil(until=body.until)


@clients.post("/runs/{run_id}/help", status_code=202)
async def ask_for_help(
    run_id: UUID, body: HelpRequest, person: SignedIn, actor: Client, resources: ResourcesOf
) -> HelpAsked:
    """Asks the provider's hotline for help with a run."""
    help_id = uuid4()
    await incidents.ask_for_help(resources.pool, person, actor, help_id, run_id, body.message)
    return HelpAsked(help_id=help_id)


router = APIRouter()
for routes in (operators, administrators, clients):
    router.include_router(routes)
