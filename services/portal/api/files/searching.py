"""The versions of a path, and search by a part of a name."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from libs.shared.catalogue import NEWEST, Found, Version
from services.portal.actions.files import finding
from services.portal.actions.files.finding import History, Results, Wanted
from services.portal.api.access import Client, ResourcesOf
from services.portal.api.files.browsing import show_entry
from services.portal.api.places import InPlan
from services.portal.rules.files import names

router = APIRouter(tags=["search"])

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/plans/{plan}/history")
async def list_history(
    asked: InPlan,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Limit = 200,
) -> dict[str, Any]:
    """All versions of a path, newest first; `before` goes on where a list ended."""
    history = await finding.list_versions(resources.pool, asked, before, limit)
    return {
        "plan_id": history.plan.plan_id,
        "path": names.display(history.path),
        "versions": [_version(resources.portal_url, history, one) for one in history.versions],
        "next": history.older,
    }


def _version(portal_url: str, history: History, version: Version) -> dict[str, Any]:
    folder = names.parent(history.path)
    return {
        **show_entry(portal_url, history.plan.plan_id, version.last_point, folder, version.entry),
        "first_run": version.first_point,
        "first_seen_at": version.first_seen_at,
        "last_run": version.last_point,
        "last_seen_at": version.last_seen_at,
        "restore_points": version.points,
        "removed_at": version.removed_at,
    }


async def read_wanted(
    request: Request, plan: str = "", deleted: bool | None = None, after: str = ""
) -> Wanted:
    """What is searched for: `q` and `below` as they came."""
    query = request.scope["query_string"]
    text, below = names.query_bytes(query, b"q"), names.query_bytes(query, b"below")
    return Wanted(text or b"", plan, below or b"", deleted, after)


@router.get("/search")
async def search(
    actor: Client,
    resources: ResourcesOf,
    wanted: Annotated[Wanted, Depends(read_wanted)],
    limit: Limit = 50,
) -> dict[str, Any]:
    """Files and folders by a part of their name, wherever they are or were.

    An answer may be short, even empty, and still have a `next`: give it as `after`."""
    results = await finding.search(resources.pool, actor, wanted, limit)
    return {
        "results": [_found(resources.portal_url, results, one) for one in results.found],
        "next": results.after or None,
    }


def _found(portal_url: str, results: Results, found: Found) -> dict[str, Any]:
    plan = results.plans[found.plan_id]
    folder = names.parent(found.path)
    shown = show_entry(portal_url, plan.plan_id, found.last_point, folder, found.entry)
    shown["links"]["folder"] = _folder(portal_url, plan.plan_id, found.last_point, folder)
    return {
        **shown,
        "plan_id": plan.plan_id,
        "plan": plan.name,
        "agent": plan.hostname,
        "deleted": found.is_deleted,
        "run": found.last_point,
        "last_seen_at": found.last_seen_at,
    }


def _folder(portal_url: str, plan_id: UUID, run: int, folder: bytes) -> str:
    return f"{portal_url}/api/v1/plans/{plan_id}/entries?run={run}&path={names.quoted(folder)}"
