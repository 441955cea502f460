"""Several files and folders of one folder, ticked in a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from services.portal.actions.files import archives, browsing
from services.portal.actions.files.archives import Format
from services.portal.actions.files.browsing import SELECTED_MAX, AskedPlace, Selection
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.files.downloads import send_archive
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client, field, read_form

router = APIRouter()

_FIELDS_MAX = SELECTED_MAX + 20


async def hold_download(person: Client, resources: ResourcesOf) -> AsyncIterator[None]:
    """Until an answer was sent to its end, one of those that a user and a client may have."""
    assert person.tenant_id is not None  # as `Client` has seen
    async with resources.hold_download(person.tenant_id, person.user_id):
        yield


async def find_selection(
    plan: str, request: Request, person: Client, resources: ResourcesOf, address: Address
) -> tuple[Selection, FormData]:
    """What is ticked in the form, and the form."""
    form = await read_form(request, resources, _FIELDS_MAX)
    run = field(form, "run")
    number = int(run) if run.isdecimal() and len(run) < 10 else None
    asked = AskedPlace(person.at(address), plan, unquote_to_bytes(field(form, "path")), number)
    ticked = [unquote_to_bytes(one) for one in form.getlist("pick") if isinstance(one, str)]
    return await browsing.find_selection(resources.pool, asked, ticked), form


Ticked = Annotated[tuple[Selection, FormData], Depends(find_selection)]


@router.post("/plans/{plan}/selection", dependencies=[Depends(hold_download, scope="request")])
async def download_selection(request: Request, resources: ResourcesOf, ticked: Ticked) -> Response:
    """What is ticked as one archive."""
    selection, form = ticked
    wanted: Format = "tar" if field(form, "format") == "tar" else "zip"
    return await send_archive(request, resources, selection, wanted)


@router.post("/plans/{plan}/selection/size")
async def measure_selection(
    request: Request, person: Client, resources: ResourcesOf, ticked: Ticked
) -> Response:
    """How much is ticked, and how large a zip of it would be."""
    selection, _ = ticked
    size = await archives.preview(resources.pool, selection, "zip")
    number = len(selection.entries)
    return render(request, "selection_size.html", person, number=number, size=size)
