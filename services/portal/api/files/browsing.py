"""Folders of a restore point."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from libs.shared import attributes
from libs.shared.catalogue import EntryRow, FolderEntry, RestorePoint, join_path
from services.portal.actions.files import browsing, points
from services.portal.actions.files.browsing import Place
from services.portal.api.access import ResourcesOf
from services.portal.api.places import KINDS, AtPoint, InOrder, InPlan
from services.portal.api.runs import show_dropped
from services.portal.rules.files import names
from services.portal.store.runs.points import RunOfDay

router = APIRouter(tags=["plans"])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/plans/{plan}/entries")
async def list_entries(
    asked: AtPoint,
    order: InOrder,
    resources: ResourcesOf,
    deleted: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> dict[str, Any]:
    """What a restore point holds in a folder, and with `deleted` what it held before.

    `next` is the `after` of the next page, percent-encoded; `total` is null for a folder of so many
    entries that they come by the bytes of their names, whatever `sort` says."""
    place = await browsing.find_place(resources.pool, asked)
    found = await browsing.list_folder(resources.pool, place, order, limit, deleted=deleted)
    page = found.page
    return {
        "run": place.run.number,
        "path": names.display(place.path),
        "entries": [
            _listed(resources.portal_url, place, one, deleted=deleted) for one in page.entries
        ],
        "total": page.total,
        "next": names.quoted(page.onward) if page.onward is not None else None,
        "dropped": [show_dropped(one) for one in found.dropped],
    }


@router.get("/plans/{plan}/points")
async def list_points(
    asked: InPlan,
    resources: ResourcesOf,
    since: Annotated[str, Query(alias="from", max_length=40)] = "",
    until: Annotated[str, Query(alias="to", max_length=40)] = "",
) -> dict[str, Any]:
    """Restore points of some days, newest first, and the one before anything unusual."""
    found = await points.list_points(resources.pool, asked, since, until)
    runs = {run.number: run for run in found.span.runs}
    clean = found.clean
    return {
        "points": [show_point(one, runs.get(one.number)) for one in found.span.points],
        "first": show_point(found.around.first) if found.around else None,
        "newest": show_point(found.around.newest) if found.around else None,
        "first_unusual": clean.unusual.number if clean else None,
        "clean": show_point(clean.point) if clean and clean.point else None,
    }


def show_point(point: RestorePoint, run: RunOfDay | None = None) -> dict[str, Any]:
    """A restore point; `outcome` and `unusual` are null as long as nothing is known of its run."""
    return {
        "run": point.number,
        "committed_at": point.committed_at,
        "files_total": point.files_total,
        "bytes_protected": point.bytes_protected,
        "outcome": run.outcome if run else None,
        "unusual": run.is_unusual if run else None,
    }


def _listed(portal_url: str, place: Place, listed: FolderEntry, *, deleted: bool) -> dict[str, Any]:
    """An entry of a folder; where it may have been deleted, it is linked where it was last."""
    run = listed.last_point or place.run.number
    shown = show_entry(portal_url, place.plan.plan_id, run, place.path, listed.entry)
    if deleted:
        shown |= {
            "deleted": listed.last_point is not None,
            "run": run,
            "last_seen_at": listed.last_seen_at,
        }
    return shown


def show_entry(
    portal_url: str, plan_id: UUID, run: int, folder: bytes, entry: EntryRow
) -> dict[str, Any]:
    """An entry of a restore point, with links to what can be done with it."""
    path = join_path(folder, entry.name)
    base = f"{portal_url}/api/v1/plans/{plan_id}"
    query = f"run={run}&path={names.quoted(path)}"
    links = {
        "archive": f"{base}/archive?{query}",
        "history": f"{base}/history?path={names.quoted(path)}",
    }
    if entry.kind == "d":
        links["self"] = f"{base}/entries?{query}"
    elif entry.kind == "f":
        links["file"] = f"{base}/file?{query}"
    shown = {
        "name": names.display(entry.name),
        "path": names.display(path),
        "kind": KINDS[entry.kind],
        "size": entry.size,
        "mtime": _iso(attributes.time_of(entry.mtime_ns, entry.attributes)),
        "mode": stat.S_IMODE(entry.mode),
        "links": links,
    }
    if entry.kind in ("l", "b", "c"):
        shown["target"] = names.display(entry.target)
    return shown


def _iso(mtime_ns: int) -> str | None:
    """An instant with nanoseconds; None outside the years that a date can have."""
    try:
        whole = _EPOCH + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{mtime_ns % 10**9:09d}Z"
