"""The portal's JSON API, under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from services.portal.api import files, operators, plans, restore, searching, signing
from services.portal.api.bodies import BODIES

__all__ = ["BODIES", "router"]

router = APIRouter(prefix="/api/v1")
for part in (signing, operators, plans, files, restore, searching):
    router.include_router(part.router)
