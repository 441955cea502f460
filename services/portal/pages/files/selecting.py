"""Files and folders that are ticked in pages: of a folder at once, or of many one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from services.portal.actions.files import archives, selecting
from services.portal.actions.files.archives import Format
from services.portal.actions.files.browsing import AskedPlace, Place
from services.portal.actions.files.selecting import SELECTED_MAX, Selection
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.files.downloads import send_archive
from services.portal.pages.files.showing import Here, show
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client, field, own_path, read_form
from services.portal.rules.files import names

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
    asked = AskedPlace(
        person.at(address), plan, unquote_to_bytes(field(form, "path")), _number(field(form, "run"))
    )
    ticked = [unquote_to_bytes(one) for one in _ticked(form)]
    return await selecting.select_in(resources.pool, asked, ticked), form


Ticked = Annotated[tuple[Selection, FormData], Depends(find_selection)]


@router.post("/plans/{plan}/selection", dependencies=[Depends(hold_download, scope="request")])
async def download_selection(request: Request, resources: ResourcesOf, ticked: Ticked) -> Response:
    """What is ticked as one archive."""
    selection, form = ticked
    return await send_archive(request, resources, selection, _format(form))


@router.post("/plans/{plan}/selection/size")
async def measure_selection(
    request: Request, person: Client, resources: ResourcesOf, ticked: Ticked
) -> Response:
    """How much is ticked, and how large a zip of it would be."""
    selection, _ = ticked
    size = await archives.preview(resources.pool, selection, "zip")
    number = len(selection.places)
    return render(request, "selection_size.html", person, number=number, size=size)


@router.post("/plans/{plan}/selection/keep")
async def keep_selection(resources: ResourcesOf, ticked: Ticked) -> Response:
    """Adds what is ticked in a folder to what was ticked in others."""
    selection, form = ticked
    await selecting.keep(resources.pool, selection)
    return RedirectResponse(own_path(field(form, "next")), 303)


@router.post("/selection/keep")
async def keep_found(
    request: Request, person: Client, resources: ResourcesOf, address: Address
) -> Response:
    """Adds what is ticked among what a search found: `plan/run/path` each."""
    form = await read_form(request, resources, _FIELDS_MAX)
    actor = person.at(address)
    asked = []
    for one in _ticked(form):
        plan, _, rest = one.partition("/")
        run, _, path = rest.partition("/")
        asked.append(AskedPlace(actor, plan, unquote_to_bytes(path), _number(run)))
    await selecting.keep(resources.pool, await selecting.select(resources.pool, actor, asked))
    return RedirectResponse(own_path(field(form, "next")), 303)


@router.get("/selection")
async def show_selection(
    request: Request, person: Client, resources: ResourcesOf, address: Address
) -> Response:
    """All that was ticked, how much it is, and the way to take it."""
    kept = await selecting.open_kept(resources.pool, person.at(address))
    size = None
    if kept.places:
        size = await archives.preview(resources.pool, kept.selection, "zip")
    return render(
        request,
        "selection.html",
        person,
        timezone=kept.timezone,
        places=[_shown(place_id, place) for place_id, place in kept.places.items()],
        gone=[(one.place_id, names.display(one.path)) for one in kept.gone],
        size=size,
    )


@router.post("/selection", dependencies=[Depends(hold_download, scope="request")])
async def download_kept(
    request: Request, person: Client, resources: ResourcesOf, address: Address
) -> Response:
    """All that was ticked and is still there, as one archive."""
    form = await read_form(request, resources)
    kept = await selecting.open_kept(resources.pool, person.at(address))
    return await send_archive(request, resources, kept.selection, _format(form))


@router.post("/selection/drop")
async def drop_selection(
    request: Request, person: Client, resources: ResourcesOf, address: Address
) -> Response:
    """Takes what is ticked out of the selection again, or all of it."""
    form = await read_form(request, resources, _FIELDS_MAX)
    chosen = None if field(form, "all") else [one for one in map(_id, _ticked(form)) if one]
    await selecting.drop(resources.pool, person.at(address), chosen)
    return RedirectResponse("/selection", 303)


def _ticked(form: FormData) -> list[str]:
    return [one for one in form.getlist("pick") if isinstance(one, str)]


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _format(form: FormData) -> Format:
    return "tar" if field(form, "format") == "tar" else "zip"


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _shown(place_id: UUID, place: Place) -> dict[str, Any]:
    here = Here.of(place)
    folder = names.parent(place.path)
    return {
        **show(place.entry, place.path),
        "name": names.display(place.entry.name) or place.plan.name,
        "beyond": (),
        "picked": place_id,
        "link": here.entry(place.entry, place.path),
        "folder": here.folder(folder),
        "folder_name": names.display(folder),
        "plan": place.plan.name,
        "at": place.run.committed_at,
    }
