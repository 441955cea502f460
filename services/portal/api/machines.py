"""A client's machines, for its administrators and for operators; who asks for ingest is told so."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from services.portal.actions import machines
from services.portal.actions.machines import Machines, Misdirected
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)
from services.portal.api.answers import EnrolmentCode, MachineRevoked
from services.portal.rules.machines import name_platform
from services.portal.store.machines import Code

strays = APIRouter(prefix="/v1", route_class=web.Open, include_in_schema=False)
administrators = APIRouter(tags=["machines"], route_class=web.behind(admit_administrator))
operators = APIRouter(tags=["operators"], route_class=OperatorFirst)


class CodeRequest(BaseModel):
    """Which machine it is for: a note for whoever lists the codes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"label": "srv-compta"}]}
    )

    label: Annotated[str, Field(max_length=200)] = ""


class MachineShown(BaseModel):
    """A machine."""

    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    last_run_at: datetime | None
    revoked_at: datetime | None


class MachineList(BaseModel):
    """Machines, and the codes with which others may join."""

    machines: list[MachineShown]
    codes: list[Code]


@strays.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
async def lead_on(path: str, resources: ResourcesOf) -> None:
    """Tells where agents are let in."""
    raise Misdirected(resources.ingest_url)


@administrators.get("/machines")
async def list_own(administrator: Administrator, resources: ResourcesOf) -> MachineList:
    """One's own machines, and the codes with which others may join."""
    tenant_id = administrator.tenant_id
    return _show(await machines.list_machines(resources.pool, administrator, tenant_id))


@administrators.post("/machines/codes", status_code=201)
async def open_code(
    body: CodeRequest, administrator: Administrator, resources: ResourcesOf
) -> EnrolmentCode:
    """Hands out a one-time code with which one machine may join."""
    enrolment = await machines.open_enrolment(
        resources.pool, administrator, administrator.tenant_id, body.label
    )
    return EnrolmentCode(
        enrolment_id=enrolment.enrolment_id,
        code=enrolment.code,
        expires_at=enrolment.expires_at,
        ingest_url=resources.ingest_url,
    )


@administrators.delete("/machines/codes/{enrolment_id}", status_code=204)
async def withdraw_own_code(
    enrolment_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes a code back that nobody has used."""
    tenant_id = administrator.tenant_id
    await machines.withdraw_code(resources.pool, administrator, tenant_id, enrolment_id)
    return Response(status_code=204)


@administrators.post("/machines/{agent_id}/revoke")
async def revoke_own(
    agent_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> MachineRevoked:
    """Withdraws the token of one's own machine; once more, the same answer."""
    since = await machines.revoke_agent(
        resources.pool, administrator, agent_id, administrator.tenant_id
    )
    return MachineRevoked(agent_id=agent_id, effective_since=since)


@operators.get("/tenants/{tenant_id}/machines")
async def list_of_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> MachineList:
    """A client's machines, and the codes with which others may join."""
    return _show(await machines.list_machines(resources.pool, operator, tenant_id))


@operators.delete("/tenants/{tenant_id}/enrolments/{enrolment_id}", status_code=204)
async def withdraw_code(
    tenant_id: UUID, enrolment_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Takes a client's code back that nobody has used."""
    await machines.withdraw_code(resources.pool, operator, tenant_id, enrolment_id)
    return Response(status_code=204)


router = APIRouter()
router.include_router(administrators)
router.include_router(operators)


def _show(found: Machines) -> MachineList:
    return MachineList(
        machines=[
            MachineShown(
                agent_id=one.agent_id,
                hostname=one.hostname,
                platform=name_platform(one.platform),
                agent_version=one.agent_version,
                enrolled_at=one.enrolled_at,
                last_run_at=one.last_run_at,
                revoked_at=one.revoked_at,
            )
            for one in found.machines
        ],
        codes=found.codes,
    )
