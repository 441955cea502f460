"""`/v1`: enrolling, plans, and what a plan's newest restore point holds."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from libs.shared import web
from services.ingest import actions, rules
from services.ingest.api.problems import problems
from services.ingest.api.requests import Agent, AgentFirst, Resources

entrance = APIRouter(prefix="/v1", route_class=web.Open)
router = APIRouter(prefix="/v1", route_class=AgentFirst)

strays = APIRouter(prefix="/api/v1", route_class=web.Open, include_in_schema=False)

PlanName = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class Enrolment(rules.reported.Machine):
    """A one-time code and the machine that has it."""

    code: Annotated[str, Field(max_length=200)]


class Enrolled(BaseModel):
    """What a machine needs from now on; the token is shown this once."""

    agent_id: UUID
    tenant_id: UUID
    token: str
    chunk_key: str


class Declared(BaseModel):
    """A plan's id, and its newest restore point."""

    plan_id: UUID
    last_run: int | None
    last_run_id: UUID | None


@entrance.post("/enrolments", status_code=201, responses=problems(401, 403, 413))
async def enrol(enrolment: Enrolment, resources: Resources) -> Enrolled:
    """A one-time code for an agent's identity."""
    agent, token, keys = await actions.agents.enrol(resources, enrolment.code, enrolment)
    return Enrolled(
        agent_id=agent.agent_id,
        tenant_id=agent.tenant_id,
        token=token,
        chunk_key=keys.chunk_key.hex(),
    )


@strays.api_route("/{path:path}", methods=["GET", "POST"])
async def lead_on(path: str) -> None:
    """For who restores from the agents' address."""
    raise rules.refusals.Misdirected


@router.put("/plans/{name}", responses=problems(401, 403, 413))
async def declare_plan(
    name: PlanName, declaration: rules.reported.Declaration, agent: Agent, resources: Resources
) -> Declared:
    """What the agent copies under this name, how often, and who reads the reports."""
    plan_id, number, run_id = await actions.plans.declare_plan(resources, agent, name, declaration)
    return Declared(plan_id=plan_id, last_run=number, last_run_id=run_id)


@router.get("/plans/{name}", responses=problems(401, 403, 404))
async def find_plan(name: PlanName, agent: Agent, resources: Resources) -> Declared:
    """A plan that this agent declared, without declaring anything."""
    plan_id, number, run_id = await actions.plans.find_plan(resources, agent, name)
    return Declared(plan_id=plan_id, last_run=number, last_run_id=run_id)


@router.get(
    "/plans/{plan_id}/entries",
    response_class=StreamingResponse,
    responses=problems(401, 403, 404),
)
async def list_entries(plan_id: UUID, agent: Agent, resources: Resources) -> StreamingResponse:
    """Names, sizes, times and chunk ids of the newest restore point, in frames; no contents."""
    number, file = await actions.listings.list_entries(resources, agent, plan_id)
    return StreamingResponse(
        actions.listings.read_file(file),
        media_type="application/octet-stream",
        headers={"X-Coffre-Run": "" if number is None else str(number)},
        background=BackgroundTask(file.close),
    )
