"""Search by name over all plans and versions; without a text, the plans to browse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from libs.shared.catalogue import Found
from services.portal.actions.files import finding
from services.portal.actions.files.finding import Results, Wanted
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.files.showing import Here, as_field, show
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
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


@router.get("/search")
async def show_search(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    address: Address,
    form: Annotated[SearchForm, Depends(read_search)],
) -> Response:
    """Files and folders by a part of their name."""
    actor, results, trouble = person.at(address), None, ""
    ground = await finding.open_search(resources.pool, actor, form.plan)
    if form.text.strip():
        try:
            results = await finding.search(resources.pool, actor, form.wanted, _RESULTS_SHOWN)
        except finding.NoText:
            trouble = "long" if len(form.text) > finding.TEXT_MAX else "empty"
    return render(
        request,
        "search.html",
        person,
        status=422 if trouble else 200,
        timezone=ground.timezone,
        plan=ground.plan,
        machines=_by_machine(ground.plans),
        path_text=as_field(names.clean_path(form.below)),
        text=form.text[: finding.TEXT_MAX].decode(errors="replace"),
        where=form.where,
        deleted=form.deleted,
        trouble=trouble,
        results=[_found(results, one) for one in results.found] if results else None,
        onward=_onward(request, results) if results and results.after else "",
        is_first=not form.after,
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
    return "/search?" + b"&".join([*kept, b"after=" + results.after.encode()]).decode("latin-1")


def _found(results: Results, found: Found) -> dict[str, Any]:
    folder = names.parent(found.path)
    plan = results.plans[found.plan_id]
    here = Here.at(str(plan.plan_id), found.last_point, folder)
    links = {"d": here.folder(found.path), "f": here.file(found.path)}
    return {
        **show(found.entry, found.path),
        "plan": plan,
        "run": found.last_point,
        "folder": here.folder(folder),
        "folder_name": names.display(folder),
        "link": links.get(found.entry.kind, ""),
        "deleted": found.is_deleted,
        "seen": found.last_seen_at,
    }
