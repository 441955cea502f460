"""The agent's packages, for anybody: a page that lists them, and the files themselves."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.portal.actions import packages
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.streams import INERT, Stream, primed
from services.portal.pages import sessions
from services.portal.pages.rendering import render

router = APIRouter()


@router.get("/agent")
async def list_packages(request: Request, resources: ResourcesOf) -> Response:
    """Version, sums, and how they are checked; says so where there is none."""
    return render(
        request,
        "packages.html",
        await sessions.find_reader(request, resources),
        release=await packages.find_release(resources),
        portal_url=resources.portal_url,
    )


@router.get("/agent/{name}")
async def get_package(name: str, resources: ResourcesOf, address: Address) -> Response:
    """One file, as it was signed."""
    file = await packages.find_file(resources, name)
    headers = {
        "Content-Length": str(file.stat().st_size),
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Security-Policy": INERT,
        "X-Content-Type-Options": "nosniff",
    }
    body = await primed(packages.read_file(resources, file, address))
    return Stream(body, headers=headers, media_type="application/octet-stream")
