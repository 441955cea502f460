"""What a client sees, before its operators: files, volume, log; contents once a look is open.

The client sees who looked at what, and why. The pages are the client's own, to be read only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared.catalogue import NEWEST
from services.portal.actions import looks
from services.portal.actions.files.browsing import AskedPlace
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.places import At, RunNumber, path_of
from services.portal.pages.files.browsing import Wished, render_folder
from services.portal.pages.files.looking import render_file
from services.portal.pages.files.searching import Searched, render_search
from services.portal.pages.files.versions import render_versions
from services.portal.pages.log.pages import Asked, render_export, render_log
from services.portal.pages.reductions import PlanName, render_volume
from services.portal.pages.rendering import render
from services.portal.pages.runs import Compared, render_changes
from services.portal.pages.sessions import Operator, Sent, field, line, own_path
from services.portal.rules.log.chain import Actor
from services.portal.rules.looks import Look, LookNotConfirmed, LookNotOpened
from services.portal.rules.people import Person

router = APIRouter()


class _LookFirst(Exception):  # noqa: N818 - a form, not a fault
    """A page that another operator, or a reason, has to open first."""

    def __init__(self, operator: Person, tenant_id: UUID, look: Look) -> None:
        super().__init__(tenant_id)
        self.operator = operator
        self.tenant_id = tenant_id
        self.look = look


def install(app: FastAPI) -> None:
    """Shows what to ask for in the place of a page that isn't open yet."""
    app.add_exception_handler(_LookFirst, _ask_for_look)  # type: ignore[arg-type]  # its own kind


async def _ask_for_look(request: Request, shut: _LookFirst) -> Response:
    """What to ask for, and the way back to what was to be seen."""
    query = request.scope["query_string"].decode("latin-1")
    return render(
        request,
        "look.html",
        shut.operator,
        status=403,
        client_page=f"/clients/{shut.tenant_id}",
        then=f"{request.scope['path']}?{query}",
        look=shut.look,
    )


async def find_actor(tenant_id: UUID, operator: Operator, address: Address) -> Actor:
    """Who looks, as the client reads it in its log."""
    return operator.at(address).within(tenant_id)


Looking = Annotated[Actor, Depends(find_actor)]


async def find_look(resources: ResourcesOf, actor: Looking) -> Look:
    """How far the client's files are open to who asks."""
    return await looks.find(resources, actor, actor.tenant_id)


Found = Annotated[Look, Depends(find_look)]


async def check_names(operator: Operator, actor: Looking, look: Found) -> Look:
    """Raises _LookFirst where even names are shut."""
    try:
        look.check_names()
    except LookNotConfirmed as refusal:
        raise _LookFirst(operator, actor.tenant_id, look) from refusal
    return look


async def check_contents(operator: Operator, actor: Looking, look: Found) -> Look:
    """Raises _LookFirst where contents are shut."""
    try:
        look.check_contents()
    except (LookNotConfirmed, LookNotOpened) as refusal:
        raise _LookFirst(operator, actor.tenant_id, look) from refusal
    return look


Named = Annotated[Look, Depends(check_names)]
Open = Annotated[Look, Depends(check_contents)]


async def ask_at_point(
    plan: str, request: Request, actor: Looking, run: RunNumber = None, at: At = ""
) -> AskedPlace:
    """A path in a restore point of a client, the newest if none is named."""
    return AskedPlace(actor, plan, path_of(request), run, at)


AtPoint = Annotated[AskedPlace, Depends(ask_at_point)]


async def hold_download(asked: AtPoint, resources: ResourcesOf) -> AsyncIterator[None]:
    """Until an answer was sent to its end, one of those that a user and a client may have."""
    async with resources.hold_download(asked.tenant_id, asked.actor.user_id):
        yield


@router.get("/clients/{tenant_id}/plans/{plan}/files")
async def show_files(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    asked: AtPoint,
    look: Named,
    wish: Wished,
) -> Response:
    """A folder of a restore point."""
    return await render_folder(request, operator, resources, asked, wish, look)


@router.get("/clients/{tenant_id}/plans/{plan}/versions")
async def show_versions(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    asked: AtPoint,
    look: Named,
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
) -> Response:
    """Every version of one file."""
    return await render_versions(request, operator, resources, asked, before, look)


@router.get(
    "/clients/{tenant_id}/plans/{plan}/file",
    dependencies=[Depends(hold_download, scope="request")],
)
async def show_file(
    request: Request, operator: Operator, resources: ResourcesOf, asked: AtPoint, look: Open
) -> Response:
    """A file as its client sees it."""
    return await render_file(request, operator, resources, asked, look)


@router.get("/clients/{tenant_id}/plans/{plan}/changes", dependencies=[Depends(check_names)])
async def show_changes(
    plan: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    actor: Looking,
    between: Compared,
) -> Response:
    """What two restore points have otherwise."""
    return await render_changes(request, operator, resources, actor, plan, between)


@router.get("/clients/{tenant_id}/search")
async def show_search(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    actor: Looking,
    look: Named,
    form: Searched,
) -> Response:
    """A client's files and folders by a part of their name."""
    return await render_search(request, operator, resources, actor, form, look)


@router.get("/clients/{tenant_id}/volume")
async def show_volume(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    actor: Looking,
    look: Found,
    plan: PlanName = "",
) -> Response:
    """What fills a client's volume, by plan; by folder, where names may be seen."""
    if plan:
        await check_names(operator, actor, look)
    return await render_volume(request, operator, resources, actor, plan, look)


@router.get("/clients/{tenant_id}/log", dependencies=[Depends(check_names)])
async def show_log(
    request: Request, operator: Operator, resources: ResourcesOf, actor: Looking, asked: Asked
) -> Response:
    """A client's access log, which names files."""
    return await render_log(request, operator, resources, actor, asked)


@router.get("/clients/{tenant_id}/log/export", dependencies=[Depends(check_names)])
async def export_log(
    request: Request, operator: Operator, resources: ResourcesOf, actor: Looking, asked: Asked
) -> Response:
    """The same lines as CSV."""
    return await render_export(request, operator, resources, actor, asked)


@router.post("/clients/{tenant_id}/look")
async def open_look(tenant_id: UUID, sent: Sent, resources: ResourcesOf) -> Response:
    """Opens a look and leads back to what was to be seen, or asks another operator."""
    reason = line(sent.fields, "reason")
    then = own_path(field(sent.fields, "then"))
    here = f"/clients/{tenant_id}"
    back = RedirectResponse(then if then.startswith(f"{here}/") else here, 303)
    if not reason:
        return back
    opened = await looks.open_look(resources, sent.actor, tenant_id, reason)
    if opened.answer is None:
        return RedirectResponse(f"{here}?said=asked", 303)
    return back
