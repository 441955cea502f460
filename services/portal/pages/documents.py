"""Documents to accept: read, then accepted by name; nothing waits for it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.portal.actions import documents
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.people import Next
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Administrator

router = APIRouter()


@router.get("/documents")
async def show_documents(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    onward: Next = "/",
) -> Response:
    """What waits for an answer, a button for each, and a way on without one."""
    shown = await documents.show_documents(resources.pool, person.at(address))
    return render(
        request,
        "documents.html",
        person,
        pending=shown.pending,
        accepted=shown.accepted,
        onward=sessions.own_path(onward),
    )


@router.post("/documents/{document}/{version}")
async def accept(
    request: Request,
    document: str,
    version: str,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Keeps the answer, then shows what else waits."""
    await sessions.read_form(request, resources)
    await documents.accept(resources.pool, person.at(address), document, version)
    return RedirectResponse("/documents", 303)
