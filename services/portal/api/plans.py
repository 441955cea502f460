"""What a client has: plans, runs, and the entries of a restore point."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from libs.shared.catalogue import EntryRow, FolderEntry, join_path
from services.portal.actions import browsing, runs
from services.portal.actions.browsing import Place
from services.portal.api.access import Client, PartsOf
from services.portal.api.places import AtPoint
from services.portal.rules import names
from services.portal.store.shown import Plan, Run

router = APIRouter(tags=["plans"])

_KINDS = {"f": "file", "d": "folder", "l": "symlink"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/plans")
async def list_plans(actor: Client, parts: PartsOf) -> dict[str, Any]:
    """A client's plans with their last finished runs, and when what is stored was verified."""
    found = await runs.look_over(parts.pool, actor, 2)
    return {
        "plans": [_plan(plan, found.runs[plan.plan_id]) for plan in found.plans],
        "verified_since": found.verified.since,
        "damaged_at": found.verified.damaged_at,
    }


def _plan(plan: Plan, newest: list[Run]) -> dict[str, Any]:
    finished = next((run for run in newest if run.outcome), None)
    return {
        "plan_id": plan.plan_id,
        "name": plan.name,
        "agent": plan.hostname,
        "agent_id": plan.agent_id,
        "folders": plan.folders,
        "schedule": plan.schedule,
        "timezone": plan.timezone,
        "reports": plan.reports,
        "last_restore_point": plan.last_restore_point,
        "last_run": _run(finished) if finished else None,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "number": run.number,
        "run_id": run.run_id,
        "outcome": run.outcome,
        "reason": run.reason,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "restore_point": run.restore_point,
        "files_total": run.files_total,
        "files_new": run.files_new,
        "files_changed": run.files_changed,
        "files_removed": run.files_removed,
        "files_not_copied": run.files_not_copied,
        "bytes_protected": run.bytes_protected,
        "bytes_sent": run.bytes_sent,
        "stored_bytes": run.stored_bytes,
    }


@router.get("/plans/{plan}/runs")
async def list_runs(
    plan: str,
    actor: Client,
    parts: PartsOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A plan's runs, newest first; `before` goes on where a list ended."""
    found = await runs.list_runs(parts.pool, actor, plan, before=before, limit=limit)
    return {"runs": [_run(run) for run in found.runs]}


@router.get("/plans/{plan}/entries")
async def list_entries(asked: AtPoint, parts: PartsOf, deleted: bool = False) -> dict[str, Any]:
    """What a restore point holds in a folder, and with `deleted` what it held before."""
    place = await browsing.find_place(parts.pool, asked)
    found = await browsing.list_folder(parts.pool, place, deleted=deleted)
    return {
        "run": place.run.number,
        "path": names.display(place.path),
        "entries": [_listed(parts.portal_url, place, one, deleted=deleted) for one in found],
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
        "kind": _KINDS[entry.kind],
        "size": entry.size,
        "mtime": _iso(entry.mtime_ns),
        "mode": stat.S_IMODE(entry.mode),
        "links": links,
    }
    if entry.kind == "l":
        shown["target"] = names.display(entry.target)
    return shown


def _iso(mtime_ns: int) -> str | None:
    """An instant with nanoseconds; None outside the years that a date can have."""
    try:
        whole = _EPOCH + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{mtime_ns % 10**9:09d}Z"
