"""The access log as a client's administrators read it."""

from __future__ import annotations

from services.portal.pages.log.pages import router

__all__ = ["router"]
