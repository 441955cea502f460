"""Folders of a restore point."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter

from libs.shared import attributes
from libs.shared.catalogue import EntryRow, FolderEntry, join_path
from services.portal.actions.files import browsing
from services.portal.actions.files.browsing import Place
from services.portal.api.access import ResourcesOf
from services.portal.api.places import KINDS, AtPoint
from services.portal.api.runs import show_dropped
from services.portal.rules.files import names

router = APIRouter(tags=["plans"])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/plans/{plan}/entries")
async def list_entries(
    asked: AtPoint, resources: ResourcesOf, deleted: bool = False
) -> dict[str, Any]:
    """What a restore point holds in a folder, and with `deleted` what it held before."""
    place = await browsing.find_place(resources.pool, asked)
    found = await browsing.list_folder(resources.pool, place, deleted=deleted)
    return {
        "run": place.run.number,
        "path": names.display(place.path),
        "entries": [
            _listed(resources.portal_url, place, one, deleted=deleted) for one in found.entries
        ],
        "dropped": [show_dropped(one) for one in found.dropped],
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
