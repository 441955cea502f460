"""Files and folders of a restore point, for programs and for browsers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from fastapi import APIRouter, Request, Response

from libs.shared import web
from services.portal.actions.files import archives, browsing, downloads, spans
from services.portal.actions.files.archives import Format, Wanted
from services.portal.actions.files.browsing import Place
from services.portal.actions.resources import Resources
from services.portal.api.access import Downloading, ResourcesOf
from services.portal.api.places import AtPoint
from services.portal.api.streams import INERT, Stream, primed
from services.portal.rules.files import names
from services.portal.rules.files.ranges import ByteRange

router = APIRouter(tags=["files"])

OCTETS = "application/octet-stream"
INERT_HEADERS = {
    "Content-Security-Policy": INERT,
    "Cache-Control": "private, no-store",
}
"""What clients stored comes so that it can do nothing."""


@router.get("/plans/{plan}/file", dependencies=[Downloading])
async def download_file(request: Request, asked: AtPoint, resources: ResourcesOf) -> Response:
    """One file, or a part of it."""
    place = await browsing.find_place(resources.pool, asked)
    wanted = request.headers.get("range"), request.headers.get("if-range")
    part = downloads.choose_part(place, *wanted)
    status, headers = _describe(place, part)
    if web.is_head(request.scope):
        await downloads.view(resources.pool, place)
        return Response(None, status, headers, OCTETS)
    reader = await spans.open_reader(resources, place.tenant_id)
    body = await primed(downloads.read(reader, place, part))
    return Stream(body, status, headers, OCTETS)


def _describe(place: Place, part: ByteRange) -> tuple[int, dict[str, str]]:
    """Status and headers of a file, or of a part of it."""
    entry = place.entry
    headers = {
        **INERT_HEADERS,
        "Content-Length": str(part.length),
        "Content-Disposition": names.attachment(entry.name),
        "Accept-Ranges": "bytes",
        "ETag": place.etag,
        "Last-Modified": _http_date(entry.mtime_ns),
        "X-Coffre-Run": str(place.run.number),
    }
    if part.is_whole:
        return 200, headers
    last = part.start + part.length - 1
    return 206, {**headers, "Content-Range": f"bytes {part.start}-{last}/{entry.size}"}


@router.get("/plans/{plan}/archive", dependencies=[Downloading])
async def download_archive(
    request: Request,
    asked: AtPoint,
    resources: ResourcesOf,
    format: Format = "zip",  # noqa: A002 - the query's own name
) -> Response:
    """A folder with all that lies below it."""
    place = await browsing.find_place(resources.pool, asked)
    return await send_archive(request, resources, place, format)


async def send_archive(
    request: Request, resources: Resources, wanted: Wanted, form: Format
) -> Response:
    """The archive of a place or a selection, with its length where it is told in time."""
    first = wanted.first
    measured = archives.make(form, first.timezone)
    length = await archives.measure(resources.pool, wanted, measured)
    headers = {
        **INERT_HEADERS,
        "Content-Disposition": names.attachment(wanted.name, f".{form}"),
    }
    if wanted.number is not None:
        headers["X-Coffre-Run"] = str(wanted.number)
    if length is not None:
        headers["Content-Length"] = str(length)
    media_type = archives.MEDIA_TYPES[form]
    if web.is_head(request.scope):
        await archives.view(resources.pool, wanted)
        return Response(None, 200, headers, media_type)
    reader = await spans.open_reader(resources, first.tenant_id)
    archive = archives.make(form, first.timezone)
    body = await primed(archives.write(resources.pool, reader, wanted, archive))
    return Stream(body, 200, headers, media_type)


def _http_date(mtime_ns: int) -> str:
    """An HTTP date; years that have no such form are moved to the nearest that has."""
    seconds = min(max(mtime_ns // 10**9, -62_135_596_800), 253_402_300_799)
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
