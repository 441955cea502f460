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
    incidents,
    machines,
    notices,
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

__all__ = ["BODIES", "router", "strays"]

strays = machines.strays

router = APIRouter(prefix="/api/v1")
for part in (
    people,
    credentials,
    clients,
    desk,
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
for routes in (reductions.router, reductions.operators):
    router.include_router(routes)
