"""What a machine is told that was given the portal's address for the agents' one."""

from __future__ import annotations

from fastapi import APIRouter

from libs.shared import web
from services.portal.actions.machines import Misdirected
from services.portal.api.access import ResourcesOf

strays = APIRouter(prefix="/v1", route_class=web.Open, include_in_schema=False)


@strays.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
async def lead_on(path: str, resources: ResourcesOf) -> None:
    """Tells where agents are let in."""
    raise Misdirected(resources.ingest_url)
