"""A client's files: folders of a restore point, versions of a path, search."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.shared import attributes
from libs.shared.catalogue import NEWEST, EntryRow, FolderEntry, Found, Version, join_path
from services.portal.actions.files import archives, browsing, finding
from services.portal.actions.files.browsing import AskedPlace, Place
from services.portal.actions.files.finding import History, Results, Wanted
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.places import At, RunNumber, path_of
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names

router = APIRouter()

_ENTRIES_SHOWN = 2_000
_VERSIONS_SHOWN = 100
_RESULTS_SHOWN = 50
_DELETED = {"": None, "yes": True, "no": False}


async def ask_at_point(
    plan: str,
    request: Request,
    person: Client,
    address: Address,
    run: RunNumber = None,
    at: At = "",
) -> AskedPlace:
    """A path in one restore point, the newest if none is named."""
    return AskedPlace(person.at(address), plan, path_of(request), run, at)


async def ask_in_plan(plan: str, request: Request, person: Client, address: Address) -> AskedPlace:
    """A path in all restore points of a plan."""
    return AskedPlace(person.at(address), plan, path_of(request))


@router.get("/plans/{plan}/files")
async def show_files(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    asked: Annotated[AskedPlace, Depends(ask_at_point)],
    deleted: bool = False,
) -> Response:
    """A folder of a restore point, and if asked what it held before."""
    found = await browsing.list_points(resources.pool, asked)
    if not found.points:
        return render(request, "files_none.html", person, timezone=found.timezone, plan=found.plan)
    place = await browsing.find_place(resources.pool, asked)
    listed = await browsing.list_folder(resources.pool, place, deleted=deleted)
    sizes = await archives.measure_folders(resources.pool, place)
    return render(
        request,
        "files.html",
        person,
        timezone=found.timezone,
        plan=found.plan,
        place=place,
        points=found.points,
        crumbs=names.crumbs(place.path),
        path_text=_as_field(place.path),
        deleted=deleted,
        entries=[_listed(place, one, sizes) for one in listed.entries[:_ENTRIES_SHOWN]],
        zip_size=sizes.get(b""),
        left_out=max(0, len(listed.entries) - _ENTRIES_SHOWN),
        dropped=listed.dropped,
    )


@router.get("/plans/{plan}/versions")
async def show_versions(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    asked: Annotated[AskedPlace, Depends(ask_in_plan)],
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
) -> Response:
    """Every version of one file, to be downloaded."""
    history = await finding.list_versions(resources.pool, asked, before, _VERSIONS_SHOWN)
    return render(
        request,
        "versions.html",
        person,
        timezone=history.timezone,
        plan=history.plan,
        path=history.path,
        name=names.display(names.last(history.path)),
        crumbs=names.crumbs(names.parent(history.path)),
        versions=[_version(one) for one in history.versions],
        run=_run_with_folder(history),
        older=history.older,
        is_first=before == NEWEST,
    )


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
    actor, results = person.at(address), None
    ground = await finding.open_search(resources.pool, actor, form.plan)
    if form.text.strip():
        results = await finding.search(resources.pool, actor, form.wanted, _RESULTS_SHOWN)
    return render(
        request,
        "search.html",
        person,
        timezone=ground.timezone,
        plan=ground.plan,
        path_text=_as_field(names.clean_path(form.below)),
        text=form.text.decode(errors="replace"),
        where=form.where,
        deleted=form.deleted,
        results=[_found(results, one) for one in results.found] if results else None,
        onward=_onward(request, results) if results and results.after else "",
        is_first=not form.after,
    )


def _onward(request: Request, results: Results) -> str:
    """Where a search's next page is, with the bytes of its terms as they came."""
    query: bytes = request.scope["query_string"]
    kept = [part for part in query.split(b"&") if part and not part.startswith(b"after=")]
    return "/search?" + b"&".join([*kept, b"after=" + results.after.encode()]).decode("latin-1")


def _run_with_folder(history: History) -> int:
    """A restore point in which the path's folder can be opened."""
    return history.versions[0].last_point


def _as_field(path: bytes) -> str | None:
    """A path that a form can carry as text; None where it has bytes that a form would change."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _shown(entry: EntryRow, path: bytes) -> dict[str, Any]:
    return {
        "name": names.display(entry.name),
        "path": names.quoted(path),
        "kind": entry.kind,
        "size": entry.size,
        "mtime": _moment(attributes.time_of(entry.mtime_ns, entry.attributes)),
        "target": names.display(entry.target),
    }


def _listed(place: Place, listed: FolderEntry, zip_sizes: dict[bytes, int]) -> dict[str, Any]:
    is_deleted = listed.last_point is not None
    return {
        **_shown(listed.entry, join_path(place.path, listed.entry.name)),
        "deleted": is_deleted,
        "zip_size": None if is_deleted else zip_sizes.get(listed.entry.name),
        "run": listed.last_point or place.run.number,
        "seen": listed.last_seen_at,
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        **_shown(version.entry, b""),
        "run": version.last_point,
        "first_run": version.first_point,
        "first_seen": version.first_seen_at,
        "last_seen": version.last_seen_at,
        "removed": version.removed_at,
        "current": version.entry.last_run is None,
    }


def _found(results: Results, found: Found) -> dict[str, Any]:
    folder = names.parent(found.path)
    return {
        **_shown(found.entry, found.path),
        "plan": results.plans[found.plan_id],
        "run": found.last_point,
        "folder": names.quoted(folder),
        "folder_name": names.display(folder),
        "deleted": found.is_deleted,
        "seen": found.last_seen_at,
    }


def _moment(mtime_ns: int) -> datetime | None:
    """When a file was changed; None outside the years that a date can have."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
