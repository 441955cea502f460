"""Folders of a restore point, and the way through time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from libs.shared import clock
from libs.shared.catalogue import SORTED_MAX, FolderEntry, join_path
from services.portal.actions.files import archives, browsing, points
from services.portal.actions.files.browsing import Listing, Place
from services.portal.actions.files.points import Nothing, PointsView
from services.portal.api.access import ResourcesOf
from services.portal.api.places import InOrder
from services.portal.pages.files import calendar
from services.portal.pages.files.showing import AtPoint, Here, as_field, show
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Client
from services.portal.rules.files import names

router = APIRouter()

_ENTRIES_SHOWN = 200


@router.get("/plans/{plan}/files")
async def show_files(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    asked: AtPoint,
    order: InOrder,
    deleted: bool = False,
    month: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """A folder of a restore point, and if asked what it held before."""
    view = await points.open_view(resources.pool, asked, month)
    if isinstance(view, Nothing):
        return render(request, "files_none.html", person, timezone=view.timezone, plan=view.plan)
    tongue = speak(request, person, view.timezone)
    path = view.lost.path if view.lost else view.place.path if view.place else b""
    here = Here(str(view.plan.plan_id), view.point.number, path, order, deleted)
    common: dict[str, Any] = {
        "timezone": view.timezone,
        "plan": view.plan,
        "view": view,
        "here_at": here,
        "calendar": calendar.draw(view, tongue),
        "is_choosing": bool(month) or view.trouble != "",
        "days": _days(view),
        "path_text": as_field(path),
        "deleted": deleted,
        "portal_url": resources.portal_url,
        "email_word": shlex.quote(person.email),
    }
    if view.place is None:
        return render(request, "files_lost.html", person, status=404, lost=view.lost, **common)
    place = view.place
    listed = await browsing.list_folder(
        resources.pool, place, order, _ENTRIES_SHOWN, deleted=deleted
    )
    sizes = await archives.measure_folders(resources.pool, place)
    return render(
        request,
        "files.html",
        person,
        place=place,
        order=order,
        crumbs=here.crumbs(path),
        entries=[_listed(place, here, listed, one, sizes) for one in listed.page.entries],
        page=listed.page,
        sorted_max=SORTED_MAX,
        zip_size=sizes.get(b""),
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
    place: Place, here: Here, listing: Listing, listed: FolderEntry, zip_sizes: dict[bytes, int]
) -> dict[str, Any]:
    entry = listed.entry
    path = join_path(place.path, entry.name)
    is_deleted = listed.last_point is not None
    run = listed.last_point or place.run.number
    beyond = [] if is_deleted else listing.passed.get(entry.name, [])
    opens = b"/".join([path, *beyond])
    links = {"d": here.folder(opens, run), "f": here.file(path, run)}
    return {
        **show(entry, path),
        "beyond": [names.display(name) for name in beyond],
        "picked": names.quoted(entry.name),
        "link": links.get(entry.kind, ""),
        "deleted": is_deleted,
        "zip_size": None if is_deleted else zip_sizes.get(entry.name),
        "run": run,
        "seen": listed.last_seen_at,
    }
