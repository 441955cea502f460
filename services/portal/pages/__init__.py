"""The portal's pages: written by the server, usable without scripts."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

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
    desk,
):
    router.include_router(part.router)


def install(app: FastAPI) -> None:
    """Adds what pages need beside their routes: stylesheet, error pages."""
    app.mount("/static", assets.Assets(), name="static")
    failures.install(app)
