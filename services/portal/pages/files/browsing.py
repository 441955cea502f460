"""Folders of a restore point, and the way through time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.shared import clock
from libs.shared.catalogue import SORTED_MAX, FolderEntry, FolderOrder, join_path
from libs.shared.words.tongue import Tongue
from services.portal.actions.files import archives, browsing, points, selecting
from services.portal.actions.files.browsing import AskedPlace, Listing, Place
from services.portal.actions.files.points import Nothing, PointsView
from services.portal.actions.resources import Resources
from services.portal.api.access import ResourcesOf
from services.portal.api.places import InOrder
from services.portal.pages.files import calendar
from services.portal.pages.files.showing import AtPoint, Here, as_field, lay_row
from services.portal.pages.navigation import home_of, pages_of
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.rules.looks import Look
from services.portal.rules.machines import is_windows, restore_command
from services.portal.rules.people import Person

router = APIRouter()

_ENTRIES_SHOWN = 100


@dataclass(frozen=True)
class FolderWish:
    """How a folder is to be shown; deleted: with what it held before. month: of the calendar."""

    order: FolderOrder
    deleted: bool
    month: str


async def read_wish(
    order: InOrder,
    deleted: bool = False,
    month: Annotated[str, Query(max_length=10)] = "",
) -> FolderWish:
    """What the address says of it."""
    return FolderWish(order, deleted, month)


Wished = Annotated[FolderWish, Depends(read_wish)]


@router.get("/plans/{plan}/files")
async def show_files(
    request: Request, person: Client, resources: ResourcesOf, asked: AtPoint, wish: Wished
) -> Response:
    """A folder of a restore point, and if asked what it held before."""
    return await render_folder(request, person, resources, asked, wish)


async def render_folder(
    request: Request,
    person: Person,
    resources: Resources,
    asked: AskedPlace,
    wish: FolderWish,
    look: Look | None = None,
) -> Response:
    """The page of a folder; look: how far it is open to an operator."""
    order, deleted, month = wish.order, wish.deleted, wish.month
    view = await points.open_view(resources.pool, asked, month)
    if isinstance(view, Nothing):
        return render(
            request,
            "files_none.html",
            person,
            timezone=view.timezone,
            plan=view.plan,
            plan_page=pages_of(asked.actor, view.plan.plan_id),
            look=look,
        )
    tongue = speak(request, person, view.timezone)
    path = view.lost.path if view.lost else view.place.path if view.place else b""
    pages = pages_of(asked.actor, view.plan.plan_id)
    here = Here(pages, view.point.number, path, order, deleted)
    common: dict[str, Any] = {
        "timezone": view.timezone,
        "plan": view.plan,
        "view": view,
        "here_at": here,
        "home": home_of(asked.actor),
        "look": look,
        "calendar": calendar.draw(view, tongue),
        "is_choosing": bool(month) or view.trouble != "",
        "days": _days(view),
        "path_text": as_field(path),
        "deleted": deleted,
        "is_windows": is_windows(view.platform),
        "command": restore_command(
            view.platform,
            view.plan.plan_id,
            portal_url=resources.portal_url,
            email=person.email,
            run=view.point.number,
        ),
    }
    if view.place is None:
        return render(request, "files_lost.html", person, status=404, lost=view.lost, **common)
    place = view.place
    listed = await browsing.list_folder(
        resources.pool, place, order, _ENTRIES_SHOWN, deleted=deleted
    )
    sizes = await archives.measure_folders(resources.pool, place, listed.page.total)
    return render(
        request,
        "files.html",
        person,
        place=place,
        order=order,
        crumbs=here.crumbs(path),
        entries=[
            _listed(tongue, place, here, listed, one, sizes, look) for one in listed.page.entries
        ],
        page=listed.page,
        sorted_max=SORTED_MAX,
        shown_max=_ENTRIES_SHOWN,
        zip_size=sizes.get(b""),
        selected=await selecting.count_kept(resources.pool, asked.actor),
        dropped=listed.dropped,
        **common,
    )


@dataclass(frozen=True)
class Days:
    """The first and the newest day there is, and the quick ones that lie between."""

    first: date
    newest: date
    chosen: date
    yesterday: date | None
    week_ago: date | None


def _days(view: PointsView) -> Days:
    zone = ZoneInfo(view.timezone)
    first, newest, chosen = (
        calendar.day_of(point.committed_at, zone)
        for point in (view.around.first, view.around.newest, view.point)
    )
    today = calendar.day_of(clock.now(), zone)
    quick = [today - timedelta(days=days) for days in (1, 7)]
    yesterday, week_ago = [day if day >= first else None for day in quick]
    return Days(first, newest, chosen, yesterday, week_ago)


def _listed(
    tongue: Tongue,
    place: Place,
    here: Here,
    listing: Listing,
    listed: FolderEntry,
    zip_sizes: dict[bytes, int],
    look: Look | None,
) -> SimpleNamespace:
    entry = listed.entry
    path = join_path(place.path, entry.name)
    is_deleted = listed.last_point is not None
    run = listed.last_point or place.run.number
    row = lay_row(
        tongue,
        here,
        entry,
        path,
        run,
        is_open=look is None or look.until is not None,
        picked=names.quoted(entry.name),
        deleted=is_deleted,
        zip_size=None if is_deleted else zip_sizes.get(entry.name),
        seen=listed.last_seen_at,
    )
    beyond = [] if is_deleted else listing.passed.get(entry.name, [])
    row.beyond = [names.display(name) for name in beyond]
    row.link = here.entry(entry, b"/".join([path, *beyond]) if entry.kind == "d" else path, run)
    return row
