"""The portal's pages: written by the server, usable without scripts."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from services.portal.pages import (
    assets,
    branding,
    choices,
    clients,
    credentials,
    destruction,
    documents,
    factors,
    failures,
    files,
    home,
    incidents,
    log,
    machines,
    orders,
    overages,
    packages,
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
    runs,
    incidents,
    recipients,
    choices,
    orders,
    overages,
    documents,
    files,
    clients,
    packages,
    machines,
    reductions,
    destruction,
    branding,
):
    router.include_router(part.router)


def install(app: FastAPI) -> None:
    """Adds what pages need beside their routes: stylesheet, error pages."""
    app.mount("/static", assets.Assets(), name="static")
    failures.install(app)
