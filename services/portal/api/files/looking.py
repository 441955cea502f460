"""A file as a page shows it, and its checksum."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from libs.shared import web
from services.portal.actions.files import browsing, downloads, previews, spans
from services.portal.api.access import Downloading, ResourcesOf
from services.portal.api.files.downloads import INERT_HEADERS, OCTETS
from services.portal.api.places import AtPoint
from services.portal.api.streams import INERT_PDF, Stream, primed
from services.portal.rules.files import names

router = APIRouter(tags=["files"])


@router.get("/plans/{plan}/preview", dependencies=[Downloading])
async def show_preview(asked: AtPoint, resources: ResourcesOf) -> Response:
    """A plain image, PDF or text, to be shown and never run; of a text its beginning."""
    place = await browsing.find_place(resources.pool, asked)
    reader = await spans.open_reader(resources, place.tenant_id)
    shown, content = await previews.open_content(reader, place)
    media_type = f"text/plain; charset={shown.charset}" if shown.charset else shown.media_type
    policy = {"Content-Security-Policy": INERT_PDF} if shown.kind == "pdf" else {}
    headers = {
        **INERT_HEADERS,
        **policy,
        "Content-Length": str(shown.length),
        "Content-Disposition": names.attachment(place.entry.name).replace(
            "attachment", "inline", 1
        ),
        "ETag": place.etag,
    }
    return Stream(await primed(content), 200, headers, media_type)


@router.get("/plans/{plan}/checksum", dependencies=[Downloading])
async def show_checksum(request: Request, asked: AtPoint, resources: ResourcesOf) -> Response:
    """The SHA-256 of a file, read anew for this, as `sha256sum --check` takes it."""
    place = await browsing.find_place(resources.pool, asked)
    name = place.entry.name
    headers = {
        **INERT_HEADERS,
        "Content-Disposition": names.attachment(name, ".sha256"),
        "Content-Length": str(len(names.checksum_line("0" * 64, name))),
    }
    if web.is_head(request.scope):
        await downloads.view(resources.pool, place)
        return Response(None, 200, headers, OCTETS)
    reader = await spans.open_reader(resources, place.tenant_id)
    line = names.checksum_line(await previews.sum_up(reader, place), name)
    return Response(line, 200, headers, OCTETS)
