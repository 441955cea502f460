"""A client's files for operators: names, and once a look is open, contents; the client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from libs.shared.catalogue import NEWEST
from services.portal.actions import looks
from services.portal.actions.files.archives import Format
from services.portal.actions.files.browsing import AskedPlace
from services.portal.api import runs
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import ReasonRequest
from services.portal.api.files import browsing, downloads, looking, searching
from services.portal.api.places import At, Between, InOrder, RunNumber, find_between, path_of
from services.portal.rules.approvals import LIFE

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class LookOpened(BaseModel):
    """Until when files are open to who asked; null while another operator has to confirm it."""

    approval_id: UUID | None
    until: datetime | None


async def ask_for_client(
    tenant_id: UUID,
    plan: str,
    request: Request,
    operator: Operator,
    run: RunNumber = None,
    at: At = "",
) -> AskedPlace:
    """A path in a restore point of a client, the newest if none is named."""
    return AskedPlace(operator.within(tenant_id), plan, path_of(request), run, at)


OfClient = Annotated[AskedPlace, Depends(ask_for_client)]


async def check_names(resources: ResourcesOf, asked: OfClient) -> AskedPlace:
    """Lets an operator see names, once another has confirmed it where that takes two."""
    await looks.check_names(resources, asked.actor, asked.tenant_id)
    return asked


async def check_contents(resources: ResourcesOf, asked: OfClient) -> AskedPlace:
    """Lets an operator read contents whose look is open."""
    await looks.check_contents(resources, asked.actor, asked.tenant_id)
    return asked


Named = Annotated[AskedPlace, Depends(check_names)]
Open = Annotated[AskedPlace, Depends(check_contents)]


async def hold_download(asked: Open, resources: ResourcesOf) -> AsyncIterator[None]:
    """Until an answer was sent to its end, one of those that a user and a client may have."""
    async with resources.hold_download(asked.tenant_id, asked.actor.user_id):
        yield


Downloading = Depends(hold_download, scope="request")


@router.get("/tenants/{tenant_id}/plans/{plan}/entries", response_model_exclude_unset=True)
async def list_entries(
    asked: Named,
    order: InOrder,
    resources: ResourcesOf,
    deleted: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> browsing.EntryList:
    """What a client's restore point holds in a folder, as the client itself lists it."""
    return await browsing.list_entries(asked, order, resources, deleted, limit)


@router.get("/tenants/{tenant_id}/plans/{plan}/history", response_model_exclude_unset=True)
async def list_history(
    asked: Named,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> searching.VersionList:
    """All versions of a path of a client, newest first; `before` goes on where a list ended."""
    return await searching.list_history(asked, resources, before, limit)


@router.get("/tenants/{tenant_id}/plans/{plan}/changes")
async def list_changes(
    plan: str,
    asked: Named,
    resources: ResourcesOf,
    between: Annotated[Between, Depends(find_between)],
) -> runs.ChangeList:
    """What two restore points of a client have otherwise in a folder, by name."""
    return await runs.list_changes(plan, asked.actor, resources, between)


@router.get("/tenants/{tenant_id}/plans/{plan}/points")
async def list_points(
    asked: OfClient,
    resources: ResourcesOf,
    since: browsing.Since = "",
    until: browsing.Until = "",
) -> browsing.PointList:
    """Restore points of some days of a client's plan, and the one before anything unusual."""
    return await browsing.list_points(asked, resources, since, until)


@router.get("/tenants/{tenant_id}/search", response_model_exclude_unset=True)
async def search(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    wanted: searching.InSearch,
    limit: searching.Limit = 50,
) -> searching.ResultList:
    """A client's files and folders by a part of their name, as the client itself finds them."""
    await looks.check_names(resources, operator, tenant_id)
    return await searching.search(operator.within(tenant_id), resources, wanted, limit)


@router.get("/tenants/{tenant_id}/plans/{plan}/file", dependencies=[Downloading])
async def download_file(request: Request, asked: Open, resources: ResourcesOf) -> Response:
    """One file of a client, or a part of it, while a look is open."""
    return await downloads.download_file(request, asked, resources)


@router.get("/tenants/{tenant_id}/plans/{plan}/archive", dependencies=[Downloading])
async def download_archive(
    request: Request,
    asked: Open,
    resources: ResourcesOf,
    format: Format = "zip",  # noqa: A002 - the query's own name
) -> Response:
    """A folder of a client with all that lies below it, while a look is open."""
    return await downloads.download_archive(request, asked, resources, format)


@router.get("/tenants/{tenant_id}/plans/{plan}/preview", dependencies=[Downloading])
async def show_preview(asked: Open, resources: ResourcesOf) -> Response:
    """A plain image, PDF or text of a client, to be shown and never run, while a look is open."""
    return await looking.show_preview(asked, resources)


@router.get("/tenants/{tenant_id}/plans/{plan}/checksum", dependencies=[Downloading])
async def show_checksum(request: Request, asked: Open, resources: ResourcesOf) -> Response:
    """The SHA-256 of a client's file, while a look is open."""
    return await looking.show_checksum(request, asked, resources)


@router.post("/tenants/{tenant_id}/look")
async def open_look(
    tenant_id: UUID,
    body: ReasonRequest,
    operator: Operator,
    resources: ResourcesOf,
    response: Response,
) -> LookOpened:
    """Opens a client's files to who asks, for 24 hours; the client reads the reason.

    Where it takes a second operator: 202 with `approval_id`, and `until` is null."""
    opened = await looks.open_look(resources, operator, tenant_id, body.reason)
    if opened.answered_at is not None:
        return LookOpened(approval_id=None, until=opened.answered_at + LIFE)
    response.status_code = 202
    return LookOpened(approval_id=opened.approval_id, until=None)
