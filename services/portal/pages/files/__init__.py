"""A client's files: folders of a restore point, one file, versions of a path, search."""

from __future__ import annotations

from fastapi import APIRouter

from services.portal.pages.files import browsing, looking, searching, selecting, versions

router = APIRouter()
for part in (browsing, selecting, looking, versions, searching):
    router.include_router(part.router)
