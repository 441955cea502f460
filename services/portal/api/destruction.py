"""Destructions, for operators' programs: how they stand, what is decided, the certificates."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime

from libs.shared import clock, errors
from services.portal.actions import destruction
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import ReasonRequest
from services.portal.store.destruction import Destruction

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class HoldRequest(ReasonRequest):
    """A legal hold; without `until` it lasts until it is released."""

    until: AwareDatetime | None = None


@router.get("/destructions")
async def list_destructions(operator: Operator, resources: ResourcesOf) -> dict[str, Any]:
    """Every destruction with its client's name, the next first."""
    found = await destruction.list_destructions(resources.pool, operator)
    return {
        "destructions": [
            {"tenant_id": one.tenant_id, "name": name, **_tell(one)} for name, one in found
        ]
    }


@router.get("/tenants/{tenant_id}/destruction")
async def view_destruction(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """How a client's destruction stands."""
    return _tell(await destruction.view_destruction(resources.pool, operator, tenant_id))


@router.post("/tenants/{tenant_id}/destruction/confirm", status_code=202)
async def confirm(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """Lets a destruction go on that waits for a second operator."""
    return _tell(await destruction.confirm(resources.pool, operator, tenant_id, body.reason))


@router.post("/tenants/{tenant_id}/destruction/hold", status_code=202)
async def hold(
    tenant_id: UUID, body: HoldRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """Stops a destruction before it begins: a legal hold."""
    if body.until is not None and body.until <= clock.now():
        raise errors.InvalidRequest("The end of a hold must lie ahead; leave it out for none.")
    return _tell(
        await destruction.hold(resources.pool, operator, tenant_id, body.reason, body.until)
    )


@router.post("/tenants/{tenant_id}/destruction/release", status_code=202)
async def release(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """Ends a legal hold."""
    return _tell(await destruction.release(resources.pool, operator, tenant_id, body.reason))


@router.get("/tenants/{tenant_id}/certificate")
async def read_certificate(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """A client's certificate of destruction, byte by byte as it was signed."""
    certificate = await destruction.read_certificate(resources.pool, operator, tenant_id)
    return Response(certificate, media_type="application/json")


def _tell(one: Destruction) -> dict[str, Any]:
    """state: an operator's hold shows at once, whether or not retention has heard of it."""
    is_held = one.held and one.state in {"scheduled", "waiting", "running"}
    return {
        "state": "held" if is_held and one.permitted_at is None else one.state,
        "due_at": one.due_at,
        "objects_left": one.objects_left,
        "certificate": one.certificate,
        "reasons": one.reasons,
        "hold": {"reason": one.hold_reason, "until": one.held_until} if one.held else None,
        "begun_at": one.permitted_at,
        "completed_at": one.completed_at,
    }
