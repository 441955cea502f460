"""The portal's JSON API, under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from services.portal.api import (
    choices,
    clients,
    credentials,
    desk,
    destruction,
    documents,
    factors,
    incidents,
    log,
    looks,
    machines,
    notices,
    openapi,
    operators,
    orders,
    overages,
    parked,
    people,
    recipients,
    reductions,
    restore,
    runs,
    users,
)
from services.portal.api.bodies import BODIES
from services.portal.api.files import browsing, downloads, looking, searching, selecting

__all__ = ["BODIES", "openapi", "router", "strays"]

strays = machines.strays

router = APIRouter(prefix="/api/v1")
# First: its address would be the id of a notice among the operators' routes.
router.include_router(notices.clients)
for part in (
    people,
    openapi,
    credentials,
    factors,
    log,
    clients,
    desk,
    looks,
    operators,
    destruction,
    runs,
    recipients,
    choices,
    overages,
    orders.clients,
    orders.operators,
    users,
    machines,
    parked,
    incidents,
    documents,
    notices,
    browsing,
    downloads,
    selecting,
    looking,
    restore,
    searching,
):
    router.include_router(part.router)
for routes in (
    reductions.router,
    reductions.operators,
    log.operators,
    runs.operators,
    recipients.operators,
):
    router.include_router(routes)
