"""One file of a restore point: what it is, shown where that is safe."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.portal.actions.files import browsing, previews, spans
from services.portal.actions.files.browsing import AskedPlace
from services.portal.actions.resources import Resources
from services.portal.api.access import Downloading, ResourcesOf
from services.portal.pages.files.showing import AtPoint, Here, show
from services.portal.pages.navigation import home_of
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.rules.looks import Look
from services.portal.rules.people import Person

router = APIRouter()


@router.get("/plans/{plan}/file", dependencies=[Downloading])
async def show_file(
    request: Request, person: Client, resources: ResourcesOf, asked: AtPoint
) -> Response:
    """A file with its size, checksum and versions; an image or a text as well."""
    return await render_file(request, person, resources, asked)


async def render_file(
    request: Request,
    person: Person,
    resources: Resources,
    asked: AskedPlace,
    look: Look | None = None,
) -> Response:
    """The page of a file; look: that of an operator."""
    place = await browsing.find_place(resources.pool, asked)
    if place.entry.kind == "d":
        return RedirectResponse(Here.of(place).folder(place.path), 303)
    reader = await spans.open_reader(resources, place.tenant_id)
    looked = await previews.look(reader, place)
    newest = await browsing.find_newest(resources.pool, place)
    here = Here.of(place)
    return render(
        request,
        "file.html",
        person,
        timezone=place.timezone,
        plan=place.plan,
        place=place,
        newest=newest,
        entry=show(place.entry, place.path),
        crumbs=here.crumbs(names.parent(place.path)),
        here_at=here,
        looked=looked,
        home=home_of(asked.actor),
        look=look,
    )
