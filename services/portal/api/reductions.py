"""What fills a volume, and dropping some of it: for administrators, and for operators."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.shared import web
from libs.shared.catalogue import join_path
from services.portal.actions import reductions
from services.portal.actions.reductions import Filled, Previewed
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.places import path_of
from services.portal.api.recipients import Administrator, admit_administrator
from services.portal.rules.files import names
from services.portal.rules.reductions import UNDO_DAYS, Reduction, ReductionWish, What
from services.portal.store.reductions import Fill

router = APIRouter(tags=["reductions"], route_class=web.behind(admit_administrator))
operators = APIRouter(tags=["reductions"], route_class=OperatorFirst)

PlanName = Annotated[str, Query(max_length=200)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]


class ReductionRequest(BaseModel):
    """What to drop of a plan: all, a `folder` (percent-encoded), or what is older than `before`."""

    model_config = ConfigDict(extra="forbid")

    what: What
    plan: Annotated[str, Field(min_length=1, max_length=200)]
    folder: Annotated[str, Field(max_length=16_384)] = ""
    before: Annotated[str, Field(max_length=40)] = ""

    @model_validator(mode="after")
    def _says_which(self) -> ReductionRequest:
        if (self.what == "folder") != bool(self.folder.strip("/")):
            raise ValueError("a folder is needed to drop a folder, and only then")
        if (self.what == "older") != bool(self.before):
            raise ValueError("before is needed to drop what is older, and only then")
        return self

    @property
    def wish(self) -> ReductionWish:
        """The request as actions take it."""
        return ReductionWish(self.what, self.plan, unquote_to_bytes(self.folder), self.before)


@router.get("/volume")
async def show_volume(
    request: Request, administrator: Administrator, resources: ResourcesOf, plan: PlanName = ""
) -> dict[str, Any]:
    """What fills the volume, by plan; with `plan` and `path`, by what lies in a folder."""
    tenant_id = administrator.tenant_id
    path = path_of(request)
    return show_filled(
        await reductions.look_at(resources.pool, administrator, tenant_id, plan, path)
    )


@operators.get("/tenants/{tenant_id}/volume")
async def show_client_volume(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    plan: PlanName = "",
) -> dict[str, Any]:
    """What fills a client's volume, by plan; with `plan` and `path`, by what lies in a folder."""
    path = path_of(request)
    return show_filled(await reductions.look_at(resources.pool, operator, tenant_id, plan, path))


@router.post("/reductions/preview")
async def preview(
    body: ReductionRequest, administrator: Administrator, resources: ResourcesOf
) -> dict[str, Any]:
    """What dropping would really free now: bytes that nothing else needs."""
    tenant_id = administrator.tenant_id
    return _previewed(await reductions.preview(resources.pool, administrator, tenant_id, body.wish))


@operators.post("/tenants/{tenant_id}/reductions/preview")
async def preview_of_client(
    tenant_id: UUID, body: ReductionRequest, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """What dropping would free of a client's volume now: bytes that nothing else needs."""
    return _previewed(await reductions.preview(resources.pool, operator, tenant_id, body.wish))


@router.post("/reductions", status_code=202)
async def order(
    body: ReductionRequest, administrator: Administrator, resources: ResourcesOf, key: Key = ""
) -> dict[str, Any]:
    """Drops copies; they can be taken back for some days."""
    tenant_id = administrator.tenant_id
    return _shown(await reductions.order(resources.pool, administrator, tenant_id, body.wish, key))


@operators.post("/tenants/{tenant_id}/reductions", status_code=202)
async def order_for_client(
    tenant_id: UUID,
    body: ReductionRequest,
    operator: Operator,
    resources: ResourcesOf,
    key: Key = "",
) -> dict[str, Any]:
    """Drops copies for a client; they can be taken back for some days."""
    return _shown(await reductions.order(resources.pool, operator, tenant_id, body.wish, key))


@router.get("/reductions")
async def list_reductions(administrator: Administrator, resources: ResourcesOf) -> dict[str, Any]:
    """What was dropped, newest first."""
    tenant_id = administrator.tenant_id
    found = await reductions.list_newest(resources.pool, administrator, tenant_id)
    return {"reductions": [_shown(one) for one in found]}


@operators.get("/tenants/{tenant_id}/reductions")
async def list_of_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> dict[str, Any]:
    """What was dropped of a client, newest first."""
    found = await reductions.list_newest(resources.pool, operator, tenant_id)
    return {"reductions": [_shown(one) for one in found]}


@router.post("/reductions/{reduction_id}/withdraw", status_code=204)
async def withdraw(
    reduction_id: UUID, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Takes back what was dropped."""
    await reductions.withdraw(resources.pool, administrator, administrator.tenant_id, reduction_id)
    return Response(status_code=204)


@operators.post("/tenants/{tenant_id}/reductions/{reduction_id}/withdraw", status_code=204)
async def withdraw_for_client(
    tenant_id: UUID, reduction_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Takes back what was dropped of a client."""
    await reductions.withdraw(resources.pool, operator, tenant_id, reduction_id)
    return Response(status_code=204)


def show_filled(filled: Filled) -> dict[str, Any]:
    """What fills a volume, as JSON."""
    counted = [fill.counted_at for fill in (filled.whole, *filled.fills) if fill]
    shown: dict[str, Any] = {
        "stored_bytes": filled.volume.stored_bytes,
        "protected_bytes": filled.volume.protected_bytes,
        "contracted_bytes": filled.tenant.contracted_bytes,
        "counted_at": max(counted, default=None),
    }
    if filled.plan is None:
        fills = {fill.plan_id: fill for fill in filled.fills}
        shown["plans"] = [
            {
                "plan_id": plan.plan_id,
                "name": plan.name,
                "agent": plan.hostname,
                **_amounts(fills.get(plan.plan_id)),
            }
            for plan in filled.plans
        ]
        return shown
    shown |= {
        "plan_id": filled.plan.plan_id,
        "path": names.display(filled.path),
        **_amounts(filled.whole),
        "folders": [
            {
                "name": names.display(fill.name),
                "path": names.display(join_path(filled.path, fill.name)),
                "folder": names.quoted(join_path(filled.path, fill.name)),
                **_amounts(fill),
            }
            for fill in filled.fills
        ],
    }
    return shown


def _amounts(fill: Fill | None) -> dict[str, int]:
    return {
        "files": fill.files if fill else 0,
        "size_bytes": fill.size_bytes if fill else 0,
        "freed_bytes": fill.freed_bytes if fill else 0,
    }


def _previewed(previewed: Previewed) -> dict[str, Any]:
    return {
        "what": previewed.wish.what,
        "plan_id": previewed.plan.plan_id,
        "plan": previewed.plan.name,
        "before": previewed.before,
        "freed_bytes": previewed.preview.freed_bytes,
        "versions": previewed.preview.versions,
        "current_files": previewed.preview.current_files,
        "undo_days": UNDO_DAYS,
    }


def _shown(reduction: Reduction) -> dict[str, Any]:
    folder = reduction.folder
    return {
        "reduction_id": reduction.reduction_id,
        "state": reduction.state,
        "what": reduction.what,
        "plan_id": reduction.plan_id,
        "plan": reduction.plan_name,
        "path": None if folder is None else names.display(folder),
        "folder": None if folder is None else names.quoted(folder),
        "before": reduction.before,
        "by": reduction.ordered_by,
        "ordered_at": reduction.ordered_at,
        "freed_bytes": reduction.freed_bytes,
        "undo_until": reduction.undo_until,
    }
