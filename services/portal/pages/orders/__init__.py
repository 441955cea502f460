"""Contracts as clients order them; prices and billing as operators see them."""

from __future__ import annotations

from fastapi import APIRouter

from services.portal.pages.orders import clients, operators

router = APIRouter()
for part in (clients, operators):
    router.include_router(part.router)

__all__ = ["router"]
