"""Applications of services in a test's own process."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import BaseRoute

_routes: dict[str, list[BaseRoute]] = {}


def share_routes(app: FastAPI) -> FastAPI:
    """Gives it the routes of the first application with its title; all else is its own.

    At the first request of each, FastAPI works out what every route takes: the portal's take it a
    quarter of a second.
    """
    app.router.routes = _routes.setdefault(app.title, app.router.routes)
    return app
