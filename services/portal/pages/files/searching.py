"""Search by name over all plans and versions; without a text, the plans to browse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from libs.shared.catalogue import Found
from libs.shared.words.tongue import Tongue
from services.portal.actions.files import finding, selecting
from services.portal.actions.files.finding import Results, Wanted
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.files.showing import Here, as_field, lay_row
from services.portal.pages.navigation import home_of, pages_of
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor
from services.portal.rules.looks import Look
from services.portal.rules.machines import is_windows, restore_command
from services.portal.rules.people import Person
from services.portal.store.runs.shown import Plan

router = APIRouter()

_RESULTS_SHOWN = 50
_DELETED = {"": None, "yes": True, "no": False}


@dataclass(frozen=True)
class SearchForm:
    """What the form of a search holds; `where`: what of plan and folder counts.

    "folder" for both, "plan", or "all" for neither; `below` is the folder even if it doesn't."""

    text: bytes
    plan: str
    below: bytes
    where: str
    deleted: str
    after: str

    @property
    def wanted(self) -> Wanted:
        """What is searched for."""
        return Wanted(
            self.text,
            "" if self.where == "all" else self.plan,
            self.below if self.where == "folder" else b"",
            _DELETED[self.deleted],
            self.after,
        )


async def read_search(
    request: Request, plan: str = "", where: str = "folder", deleted: str = "", after: str = ""
) -> SearchForm:
    """The form as it came; what it can't hold counts as not chosen."""
    query = request.scope["query_string"]
    return SearchForm(
        names.query_bytes(query, b"q") or b"",
        plan,
        names.query_bytes(query, b"below") or b"",
        where if where in {"plan", "all"} else "folder",
        deleted if deleted in _DELETED else "",
        after,
    )


Searched = Annotated[SearchForm, Depends(read_search)]


@router.get("/search")
async def show_search(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    form: Searched,
) -> Response:
    """Files and folders by a part of their name."""
    return await render_search(request, person, resources, person.at(address), form)


async def render_search(
    request: Request,
    person: Person,
    resources: Resources,
    actor: Actor,
    form: SearchForm,
    look: Look | None = None,
) -> Response:
    """The page of a search; look: how far a client's files are open to an operator."""
    results, trouble = None, ""
    ground = await finding.open_search(resources.pool, actor, form.plan, form.text)
    if form.text.strip():
        try:
            results = await finding.search(resources.pool, actor, form.wanted, _RESULTS_SHOWN)
        except finding.NoText:
            trouble = "long" if len(form.text) > finding.TEXT_MAX else "empty"
    tongue = speak(request, person, ground.tenant.timezone)
    is_open = look is None or look.until is not None
    found = results.found if results else []
    return render(
        request,
        "search.html",
        person,
        status=422 if trouble else 200,
        timezone=ground.tenant.timezone,
        tenant=ground.tenant,
        plan=ground.plan,
        machines=_by_machine(ground.plans),
        path_text=as_field(names.clean_path(form.below)),
        text=form.text[: finding.TEXT_MAX].decode(errors="replace"),
        where=form.where,
        deleted=form.deleted,
        trouble=trouble,
        look=look,
        home=home_of(actor),
        results=[_found(tongue, actor, results, one, is_open=is_open) for one in found]
        if results
        else None,
        onward=_onward(request, results) if results and results.after else "",
        is_first=not form.after,
        again=_again(request),
        selected=await selecting.count_kept(resources.pool, actor),
        any_windows=lambda plans: any(is_windows(one.platform) for one in plans),
        restore_command=partial(
            restore_command, portal_url=resources.portal_url, email=person.email
        ),
    )


def _by_machine(plans: list[Plan]) -> dict[str, list[Plan]]:
    """Plans with something to recover, by the machine that they are of."""
    machines: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.last_restore_point:
            machines.setdefault(plan.hostname, []).append(plan)
    return machines


def _onward(request: Request, results: Results) -> str:
    """The same search's next page, its bytes as they came."""
    query: bytes = request.scope["query_string"]
    kept = [part for part in query.split(b"&") if part and not part.startswith(b"after=")]
    onward = b"&".join([*kept, b"after=" + results.after.encode()]).decode("latin-1")
    return f"{request.scope['path']}?{onward}"


def _again(request: Request) -> str:
    """This search, once something was ticked in it or a look is open."""
    query: bytes = request.scope["query_string"]
    return f"{request.scope['path']}?" + query.decode("latin-1")


def _found(
    tongue: Tongue, actor: Actor, results: Results, found: Found, *, is_open: bool
) -> SimpleNamespace:
    folder = names.parent(found.path)
    plan = results.plans[found.plan_id]
    here = Here.at(pages_of(actor, plan.plan_id), found.last_point, folder)
    return lay_row(
        tongue,
        here,
        found.entry,
        found.path,
        found.last_point,
        is_open=is_open,
        plan=plan,
        picked=f"{plan.plan_id}/{found.last_point}/{names.quoted(found.path)}",
        folder=here.folder(folder),
        folder_name=names.display(folder),
        link=here.entry(found.entry, found.path),
        deleted=found.is_deleted,
        zip_size=None,
        seen=found.last_seen_at,
    )
