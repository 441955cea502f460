"""Several files and folders, of one folder or of many, as one archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import errors, web
from services.portal.actions.files import archives, selecting
from services.portal.actions.files.archives import Format
from services.portal.actions.files.browsing import AskedPlace
from services.portal.actions.files.selecting import Selection
from services.portal.actions.resources import Resources
from services.portal.api.access import (
    Client,
    Downloading,
    ResourcesOf,
    find_resources,
    find_signed_in,
)
from services.portal.api.files.downloads import send_archive
from services.portal.rules.log.chain import Actor


@asynccontextmanager
async def admit_client(request: Request) -> AsyncIterator[None]:
    """Lets a client's user ask, before a body is read."""
    if (await find_signed_in(request, find_resources(request))).tenant_id is None:
        raise errors.Forbidden("Operators have no plans of their own; sign in as a client's user.")
    yield


router = APIRouter(tags=["files"], route_class=web.behind(admit_client))


class SelectionRequest(BaseModel):
    """What is selected: names in the folder `path` of a restore point, all percent-encoded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"path": "srv/2026", "names": ["devis.pdf", "re%C3%A7us"], "run": 12}]
        },
    )

    names: list[Annotated[str, Field(max_length=1024)]]
    path: Annotated[str, Field(max_length=16_384)] = ""
    run: Annotated[int | None, Field(ge=1)] = None
    at: Annotated[str, Field(max_length=40)] = ""
    format: Format = "zip"


class SelectedPath(BaseModel):
    """A file or folder of a plan, percent-encoded, as a run saw it; the newest if none is named."""

    model_config = ConfigDict(extra="forbid")

    plan: Annotated[str, Field(max_length=200)]
    path: Annotated[str, Field(max_length=16_384)]
    run: Annotated[int | None, Field(ge=1)] = None


class SelectionOfMany(BaseModel):
    """Files and folders of several folders, plans and restore points."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"places": [{"plan": "documents", "path": "srv/2026/devis.pdf", "run": 12}]}
            ]
        },
    )

    places: list[SelectedPath]
    format: Format = "zip"


class SelectionSize(BaseModel):
    """How many files and folders are taken, and the archive's bytes; null: too many to count."""

    names: int
    size: int | None


@router.post("/plans/{plan}/archive", dependencies=[Downloading])
async def download_selection(
    plan: str, request: Request, actor: Client, resources: ResourcesOf, wanted: SelectionRequest
) -> Response:
    """Several files and folders of a folder, with all that lies below them."""
    selection = await _find(resources, actor, plan, wanted)
    return await send_archive(request, resources, selection, wanted.format)


@router.post("/plans/{plan}/archive/size")
async def measure_selection(
    plan: str, actor: Client, resources: ResourcesOf, wanted: SelectionRequest
) -> SelectionSize:
    """How large the archive of a selection would be."""
    return await _measure(resources, await _find(resources, actor, plan, wanted), wanted.format)


@router.post("/archive", dependencies=[Downloading])
async def download_many(
    request: Request, actor: Client, resources: ResourcesOf, wanted: SelectionOfMany
) -> Response:
    """Files and folders of several folders, plans and restore points, as one archive."""
    selection = await _gather(resources, actor, wanted)
    return await send_archive(request, resources, selection, wanted.format)


@router.post("/archive/size")
async def measure_many(
    actor: Client, resources: ResourcesOf, wanted: SelectionOfMany
) -> SelectionSize:
    """How large the archive of files and folders of several folders would be."""
    return await _measure(resources, await _gather(resources, actor, wanted), wanted.format)


async def _find(
    resources: Resources, actor: Actor, plan: str, wanted: SelectionRequest
) -> Selection:
    asked = AskedPlace(actor, plan, unquote_to_bytes(wanted.path), wanted.run, wanted.at)
    chosen = [unquote_to_bytes(name) for name in wanted.names]
    return await selecting.select_in(resources.pool, asked, chosen)


async def _gather(resources: Resources, actor: Actor, wanted: SelectionOfMany) -> Selection:
    asked = [
        AskedPlace(actor, one.plan, unquote_to_bytes(one.path), one.run) for one in wanted.places
    ]
    return await selecting.select(resources.pool, actor, asked)


async def _measure(resources: Resources, selection: Selection, form: Format) -> SelectionSize:
    size = await archives.preview(resources.pool, selection, form)
    return SelectionSize(names=len(selection.places), size=size)
