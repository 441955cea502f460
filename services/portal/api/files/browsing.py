"""Folders of a restore point."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.shared import attributes
from libs.shared.catalogue import EntryRow, FolderEntry, RestorePoint, join_path
from libs.shared.events import Outcome
from services.portal.actions.files import browsing, points
from services.portal.actions.files.browsing import Place
from services.portal.api.access import ResourcesOf
from services.portal.api.places import KINDS, AtPoint, InOrder, InPlan
from services.portal.api.runs import DroppedShown, show_dropped
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor
from services.portal.store.runs.points import RunOfDay

router = APIRouter(tags=["plans"])

Since = Annotated[str, Query(alias="from", max_length=40)]
Until = Annotated[str, Query(alias="to", max_length=40)]
"""Days or moments that a list begins and ends with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EntryShown(BaseModel):
    """An entry of a restore point; links: what can be done with it. target: of links and devices.

    mtime: null outside the years that a date can have.
    """

    name: str
    path: str
    kind: str
    size: int
    mtime: str | None
    mode: int
    links: dict[str, str]
    target: str | None = None


class ListedEntry(EntryShown):
    """An entry of a folder; with what was deleted, the run in which it was last."""

    deleted: bool | None = None
    run: int | None = None
    last_seen_at: datetime | None = None


class EntryList(BaseModel):
    """A page of a folder; next: the `after` of the next one."""

    run: int
    path: str
    entries: list[ListedEntry]
    total: int | None
    next: str | None
    dropped: list[DroppedShown]


class PointShown(BaseModel):
    """A restore point; outcome and unusual are null as long as nothing is known of its run."""

    run: int
    committed_at: datetime
    files_total: int
    bytes_protected: int
    outcome: Outcome | None
    unusual: bool | None


class PointList(BaseModel):
    """Restore points, the newest first; clean: the last one before the first unusual run."""

    points: list[PointShown]
    first: PointShown | None
    newest: PointShown | None
    first_unusual: int | None
    clean: PointShown | None


@router.get("/plans/{plan}/entries", response_model_exclude_unset=True)
async def list_entries(
    asked: AtPoint,
    order: InOrder,
    resources: ResourcesOf,
    deleted: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> EntryList:
    """What a restore point holds in a folder, and with `deleted` what it held before.

    `next` is the `after` of the next page, percent-encoded; `total` is null for a folder of so many
    entries that they come by the bytes of their names, whatever `sort` says."""
    place = await browsing.find_place(resources.pool, asked)
    found = await browsing.list_folder(resources.pool, place, order, limit, deleted=deleted)
    page = found.page
    return EntryList(
        run=place.run.number,
        path=names.display(place.path),
        entries=[
            _listed(resources.portal_url, place, one, deleted=deleted) for one in page.entries
        ],
        total=page.total,
        next=names.quoted(page.onward) if page.onward is not None else None,
        dropped=[show_dropped(one) for one in found.dropped],
    )


@router.get("/plans/{plan}/points")
async def list_points(
    asked: InPlan,
    resources: ResourcesOf,
    since: Since = "",
    until: Until = "",
) -> PointList:
    """Restore points of some days, newest first, and the one before anything unusual."""
    found = await points.list_points(resources.pool, asked, since, until)
    runs = {run.number: run for run in found.span.runs}
    clean = found.clean
    return PointList(
        points=[show_point(one, runs.get(one.number)) for one in found.span.points],
        first=show_point(found.around.first) if found.around else None,
        newest=show_point(found.around.newest) if found.around else None,
        first_unusual=clean.unusual.number if clean else None,
        clean=show_point(clean.point) if clean and clean.point else None,
    )


def show_point(point: RestorePoint, run: RunOfDay | None = None) -> PointShown:
    """A restore point; `outcome` and `unusual` are null as long as nothing is known of its run."""
    return PointShown(
        run=point.number,
        committed_at=point.committed_at,
        files_total=point.files_total,
        bytes_protected=point.bytes_protected,
        outcome=run.outcome if run else None,
        unusual=run.is_unusual if run else None,
    )


def _listed(portal_url: str, place: Place, listed: FolderEntry, *, deleted: bool) -> ListedEntry:
    """An entry of a folder; where it may have been deleted, it is linked where it was last."""
    run = listed.last_point or place.run.number
    base = base_of(portal_url, place.actor, place.plan.plan_id)
    shown = show_entry(base, run, place.path, listed.entry)
    if not deleted:
        return ListedEntry(**shown)
    is_deleted = listed.last_point is not None
    return ListedEntry(**shown, deleted=is_deleted, run=run, last_seen_at=listed.last_seen_at)


def base_of(portal_url: str, actor: Actor, plan_id: UUID) -> str:
    """Where the files of a plan are; operators have them among what is of its client."""
    whose = f"tenants/{actor.tenant_id}/" if actor.duty else ""
    return f"{portal_url}/api/v1/{whose}plans/{plan_id}"


def show_entry(base: str, run: int, folder: bytes, entry: EntryRow) -> dict[str, Any]:
    """An entry of a restore point, with links to what can be done with it; base: `base_of`."""
    path = join_path(folder, entry.name)
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
