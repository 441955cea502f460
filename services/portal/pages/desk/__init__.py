"""Pages for the provider's operators: what waits, all clients, one client and its contract."""

from __future__ import annotations

from fastapi import APIRouter

from services.portal.pages.desk import (
    contract,
    listing,
    one,
    opening,
    overages,
    people,
    plans,
    queue,
)

router = APIRouter()
for part in (queue, listing, overages, opening, one, people, plans, contract):
    router.include_router(part.router)

__all__ = ["router"]
