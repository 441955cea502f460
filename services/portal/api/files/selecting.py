"""Several files and folders of one folder, as one archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import errors, web
from services.portal.actions.files import archives, browsing
from services.portal.actions.files.archives import Format
from services.portal.actions.files.browsing import AskedPlace, Selection
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
) -> dict[str, Any]:
    """How large the archive of a selection would be; null where that would take too long."""
    selection = await _find(resources, actor, plan, wanted)
    size = await archives.preview(resources.pool, selection, wanted.format)
    return {"names": len(selection.entries), "size": size}


async def _find(
    resources: Resources, actor: Actor, plan: str, wanted: SelectionRequest
) -> Selection:
    asked = AskedPlace(actor, plan, unquote_to_bytes(wanted.path), wanted.run, wanted.at)
    chosen = [unquote_to_bytes(name) for name in wanted.names]
    return await browsing.find_selection(resources.pool, asked, chosen)
