"""Whatever is sent to ingest has limits of size and time, in one table."""

from __future__ import annotations

from libs.shared import web
from services.ingest import api
from tests.routes import list_routes
from tests.shared.bodies import check_table, refuse_all
from tests.world.house import House

LIMITS = api.limit_bodies(200 * 1024**3)


def test_every_route_is_in_the_table() -> None:
    app = web.create_app("ingest", routers=api.ROUTERS, openapi_url="/v1/openapi.json")
    check_table(LIMITS, list_routes(app), unread={("POST", "/api/v1/{path:path}")})


async def test_every_route_refuses_what_is_too_large(ingest: House) -> None:
    await refuse_all(ingest.url("ingest"), LIMITS)
