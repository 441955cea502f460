"""Files and folders of a restore point, for programs and for browsers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.portal.actions import archives, browsing, downloads, spans
from services.portal.actions.archives import Format
from services.portal.api.access import Client, PartsOf
from services.portal.api.streams import INERT, Stream, primed
from services.portal.rules import names, ranges

router = APIRouter(tags=["files"])

RunNumber = Annotated[int | None, Query(ge=1)]
At = Annotated[str, Query(max_length=40)]
"""A day or a moment in place of a run's number: the last restore point that is not later."""


def path_of(request: Request) -> bytes:
    """The raw bytes of the query's `path`, which need not be UTF-8."""
    return names.query_bytes(request.scope["query_string"], b"path") or b""


@router.api_route("/plans/{plan}/file", methods=["GET", "HEAD"])
async def download_file(
    plan: str,
    request: Request,
    actor: Client,
    parts: PartsOf,
    run: RunNumber = None,
    at: At = "",
) -> Response:
    """One file, or a part of it."""
    place = await browsing.find_place(parts.pool, actor, plan, run, path_of(request), at)
    entry = place.entry
    downloads.check_file(place)
    etag = f'"{place.identity}"'
    part = ranges.choose_part(
        entry.size, request.headers.get("range"), request.headers.get("if-range"), etag
    )
    headers = {
        "Content-Length": str(part.length),
        "Content-Disposition": names.attachment(entry.name),
        "Content-Security-Policy": INERT,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": _http_date(entry.mtime_ns),
        "X-Coffre-Run": str(place.run.number),
    }
    if not part.is_whole:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{entry.size}"
    status = 200 if part.is_whole else 206
    if request.method == "HEAD":
        await downloads.view(parts.pool, place)
        return Response(None, status, headers, "application/octet-stream")
    reader = await spans.open_reader(parts, actor.tenant_id)
    body = await primed(downloads.read(reader, place, part))
    return Stream(body, status, headers, "application/octet-stream")


@router.get("/plans/{plan}/archive")
async def download_archive(
    plan: str,
    request: Request,
    actor: Client,
    parts: PartsOf,
    run: RunNumber = None,
    at: At = "",
    format: Format = "zip",  # noqa: A002 - the query's own name
) -> Response:
    """A folder with all that lies below it."""
    place = await browsing.find_place(parts.pool, actor, plan, run, path_of(request), at)
    reader = await spans.open_reader(parts, actor.tenant_id)
    length = await archives.measure(parts.pool, place, archives.ARCHIVES[format]())
    archive = archives.ARCHIVES[format]()
    body = await primed(archives.write(parts.pool, reader, place, archive))
    name = place.entry.name or place.plan.name.encode()
    headers = {
        "Content-Disposition": names.attachment(name, f".{format}"),
        "Content-Security-Policy": INERT,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
        "X-Coffre-Run": str(place.run.number),
    }
    if length is not None:
        headers["Content-Length"] = str(length)
    return Stream(body, 200, headers, archive.media_type)


def _http_date(mtime_ns: int) -> str:
    """An HTTP date; years that have no such form are moved to the nearest that has."""
    seconds = min(max(mtime_ns // 10**9, -62_135_596_800), 253_402_300_799)
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
