"""What fills a volume, and dropping some of it: for administrators, and for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.shared import web
from libs.shared.catalogue import join_path
from services.portal.actions import looks, reductions
from services.portal.actions.reductions import Filled, Previewed
from services.portal.actions.resources import Resources
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)
from services.portal.api.places import path_of
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor
from services.portal.rules.reductions import UNDO_DAYS, Reduction, ReductionWish, State, What
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


class _Fill(BaseModel):
    files: int
    size_bytes: int
    freed_bytes: int


class PlanFill(_Fill):
    """What a plan keeps, and what dropping it would free."""

    plan_id: UUID
    name: str
    agent: str


class FolderFill(_Fill):
    """What a folder keeps; folder: percent-encoded, as it is asked for."""

    name: str
    path: str
    folder: str


class _Volume(BaseModel):
    stored_bytes: int
    protected_bytes: int
    contracted_bytes: int
    counted_at: datetime | None


class VolumeFilled(_Volume):
    """What fills a volume, by plan."""

    plans: list[PlanFill]


class FolderFilled(_Volume, _Fill):
    """What fills a folder of a plan, by what lies in it."""

    plan_id: UUID
    path: str
    folders: list[FolderFill]


class ReductionPreview(BaseModel):
    """What dropping would free now."""

    what: What
    plan_id: UUID
    plan: str
    before: datetime | None
    freed_bytes: int
    versions: int
    current_files: int
    undo_days: int


class ReductionShown(BaseModel):
    """What was dropped; path and folder are null for more than a folder."""

    reduction_id: UUID
    state: State
    what: What
    plan_id: UUID
    plan: str
    path: str | None
    folder: str | None
    before: datetime | None
    by: str
    ordered_at: datetime
    freed_bytes: int
    undo_until: datetime | None


class ReductionList(BaseModel):
    """What was dropped, the newest first."""

    reductions: list[ReductionShown]


@router.get("/volume")
async def show_volume(
    request: Request, administrator: Administrator, resources: ResourcesOf, plan: PlanName = ""
) -> VolumeFilled | FolderFilled:
    """What fills the volume, by plan; with `plan` and `path`, by what lies in a folder."""
    tenant_id = administrator.tenant_id
    path = path_of(request)
    return _filled(await reductions.look_at(resources.pool, administrator, tenant_id, plan, path))


@operators.get("/tenants/{tenant_id}/volume")
async def show_client_volume(
    tenant_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    plan: PlanName = "",
) -> VolumeFilled | FolderFilled:
    """What fills a client's volume, by plan; with `plan` and `path`, by what lies in a folder.

    Names of folders take two where looks do."""
    path = path_of(request)
    if plan:
        await looks.check_names(resources, operator, tenant_id)
    return _filled(await reductions.look_at(resources.pool, operator, tenant_id, plan, path))


@router.post("/reductions/preview")
async def preview(
    body: ReductionRequest, administrator: Administrator, resources: ResourcesOf
) -> ReductionPreview:
    """What dropping would really free now: bytes that nothing else needs."""
    tenant_id = administrator.tenant_id
    return _previewed(await reductions.preview(resources.pool, administrator, tenant_id, body.wish))


@operators.post("/tenants/{tenant_id}/reductions/preview")
async def preview_of_client(
    tenant_id: UUID, body: ReductionRequest, operator: Operator, resources: ResourcesOf
) -> ReductionPreview:
    """What dropping would free of a client's volume now: bytes that nothing else needs.

    A folder is named only where its name may be seen."""
    await _check_named(resources, operator, tenant_id, body)
    return _previewed(await reductions.preview(resources.pool, operator, tenant_id, body.wish))


@router.post("/reductions", status_code=202)
async def order(
    body: ReductionRequest, administrator: Administrator, resources: ResourcesOf, key: Key = ""
) -> ReductionShown:
    """Drops backups; they can be taken back for some days."""
    tenant_id = administrator.tenant_id
    return _shown(await reductions.order(resources.pool, administrator, tenant_id, body.wish, key))


@operators.post("/tenants/{tenant_id}/reductions", status_code=202)
async def order_for_client(
    tenant_id: UUID,
    body: ReductionRequest,
    operator: Operator,
    resources: ResourcesOf,
    key: Key = "",
) -> ReductionShown:
    """Drops backups for a client; they can be taken back for some days."""
    await _check_named(resources, operator, tenant_id, body)
    return _shown(await reductions.order(resources.pool, operator, tenant_id, body.wish, key))


@router.get("/reductions")
async def list_reductions(administrator: Administrator, resources: ResourcesOf) -> ReductionList:
    """What was dropped, newest first."""
    tenant_id = administrator.tenant_id
    found = await reductions.list_newest(resources.pool, administrator, tenant_id)
    return ReductionList(reductions=[_shown(one) for one in found])


@operators.get("/tenants/{tenant_id}/reductions")
async def list_of_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> ReductionList:
    """What was dropped of a client, newest first; without folders where names take two."""
    found = await reductions.list_newest(resources.pool, operator, tenant_id)
    shown = [_shown(one) for one in found]
    if not await looks.shows_names(resources, operator, tenant_id):
        shown = [one.model_copy(update={"path": None, "folder": None}) for one in shown]
    return ReductionList(reductions=shown)


async def _check_named(
    resources: Resources, operator: Actor, tenant_id: UUID, body: ReductionRequest
) -> None:
    """Raises LookNotConfirmed for a folder whose name takes two operators."""
    if body.folder:
        await looks.check_names(resources, operator, tenant_id)


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


def _filled(filled: Filled) -> VolumeFilled | FolderFilled:
    counted = [fill.counted_at for fill in (filled.whole, *filled.fills) if fill]
    volume = {
        "stored_bytes": filled.volume.stored_bytes,
        "protected_bytes": filled.volume.protected_bytes,
        "contracted_bytes": filled.tenant.contracted_bytes,
    }
    counted_at = max(counted, default=None)
    if filled.plan is None:
        fills = {fill.plan_id: fill for fill in filled.fills}
        plans = [
            PlanFill(
                plan_id=plan.plan_id,
                name=plan.name,
                agent=plan.hostname,
                **_amounts(fills.get(plan.plan_id)),
            )
            for plan in filled.plans
        ]
        return VolumeFilled(**volume, counted_at=counted_at, plans=plans)
    folders = [
        FolderFill(
            name=names.display(fill.name),
            path=names.display(join_path(filled.path, fill.name)),
            folder=names.quoted(join_path(filled.path, fill.name)),
            **_amounts(fill),
        )
        for fill in filled.fills
    ]
    return FolderFilled(
        **volume,
        counted_at=counted_at,
        plan_id=filled.plan.plan_id,
        path=names.display(filled.path),
        **_amounts(filled.whole),
        folders=folders,
    )


def _amounts(fill: Fill | None) -> dict[str, int]:
    return {
        "files": fill.files if fill else 0,
        "size_bytes": fill.size_bytes if fill else 0,
        "freed_bytes": fill.freed_bytes if fill else 0,
    }


def _previewed(previewed: Previewed) -> ReductionPreview:
    return ReductionPreview(
        what=previewed.wish.what,
        plan_id=previewed.plan.plan_id,
        plan=previewed.plan.name,
        before=previewed.before,
        freed_bytes=previewed.preview.freed_bytes,
        versions=previewed.preview.versions,
        current_files=previewed.preview.current_files,
        undo_days=UNDO_DAYS,
    )


def _shown(reduction: Reduction) -> ReductionShown:
    folder = reduction.folder
    return ReductionShown(
        reduction_id=reduction.reduction_id,
        state=reduction.state,
        what=reduction.what,
        plan_id=reduction.plan_id,
        plan=reduction.plan_name,
        path=None if folder is None else names.display(folder),
        folder=None if folder is None else names.quoted(folder),
        before=reduction.before,
        by=reduction.ordered_by,
        ordered_at=reduction.ordered_at,
        freed_bytes=reduction.freed_bytes,
        undo_until=reduction.undo_until,
    )
