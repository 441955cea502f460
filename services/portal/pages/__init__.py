"""The portal's pages: written by the server, usable without scripts."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from services.portal.pages import (
    assets,
    branding,
    choices,
    credentials,
    desk,
    destruction,
    documents,
    factors,
    failures,
    files,
    home,
    incidents,
    log,
    looks,
    machines,
    notices,
    operators,
    orders,
    overages,
    packages,
    parked,
    people,
    recipients,
    reductions,
    runs,
    users,
)

router = APIRouter(include_in_schema=False)
for part in (
    people,
    credentials,
    factors,
    log,
    users,
    home,
    operators,
    notices,
    parked,
    runs,
    incidents,
    recipients,
    choices,
    orders,
    overages,
    documents,
    files,
    packages,
    machines,
    reductions,
    destruction,
    branding,
    looks,
    desk,
):
    router.include_router(part.router)


def install(app: FastAPI) -> None:
    """Adds what pages need beside their routes: stylesheet, error pages."""
    # Files alone: what a page holds in secret could be guessed by how well it is compressed.
    app.mount("/static", GZipMiddleware(assets.Assets()), name="static")
    failures.install(app)
    looks.install(app)
