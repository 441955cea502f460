"""The versions of a path, and search by a part of a name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from libs.shared.catalogue import NEWEST, Found, Version
from services.portal.actions.files import finding
from services.portal.actions.files.finding import History, Results, Wanted
from services.portal.api.access import Client, ResourcesOf
from services.portal.api.files.browsing import EntryShown, base_of, show_entry
from services.portal.api.places import InPlan
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor

router = APIRouter(tags=["search"])

Limit = Annotated[int, Query(ge=1, le=1000)]


class VersionShown(EntryShown):
    """A version of a path, from the first restore point that has it to the last."""

    first_run: int
    first_seen_at: datetime
    last_run: int
    last_seen_at: datetime
    restore_points: int
    removed_at: datetime | None


class FoundEntry(EntryShown):
    """What a search found, as it was last."""

    plan_id: UUID
    plan: str
    agent: str
    deleted: bool
    run: int
    last_seen_at: datetime


class VersionList(BaseModel):
    """The versions of a path, the newest first; next: the `before` of the next page."""

    plan_id: UUID
    path: str
    versions: list[VersionShown]
    next: int | None


class ResultList(BaseModel):
    """What a search found; next: the `after` of the next page."""

    results: list[FoundEntry]
    next: str | None


@router.get("/plans/{plan}/history", response_model_exclude_unset=True)
async def list_history(
    asked: InPlan,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Limit = 200,
) -> VersionList:
    """All versions of a path, newest first; `before` goes on where a list ended."""
    history = await finding.list_versions(resources.pool, asked, before, limit)
    base = base_of(resources.portal_url, asked.actor, history.plan.plan_id)
    return VersionList(
        plan_id=history.plan.plan_id,
        path=names.display(history.path),
        versions=[_version(base, history, one) for one in history.versions],
        next=history.older,
    )


def _version(base: str, history: History, version: Version) -> VersionShown:
    folder = names.parent(history.path)
    return VersionShown(
        **show_entry(base, version.last_point, folder, version.entry),
        first_run=version.first_point,
        first_seen_at=version.first_seen_at,
        last_run=version.last_point,
        last_seen_at=version.last_seen_at,
        restore_points=version.points,
        removed_at=version.removed_at,
    )


async def read_wanted(
    request: Request, plan: str = "", deleted: bool | None = None, after: str = ""
) -> Wanted:
    """What is searched for: `q` and `below` as they came."""
    query = request.scope["query_string"]
    text, below = names.query_bytes(query, b"q"), names.query_bytes(query, b"below")
    return Wanted(text or b"", plan, below or b"", deleted, after)


InSearch = Annotated[Wanted, Depends(read_wanted)]


@router.get("/search", response_model_exclude_unset=True)
async def search(
    actor: Client,
    resources: ResourcesOf,
    wanted: InSearch,
    limit: Limit = 50,
) -> ResultList:
    """Files and folders by a part of their name, wherever they are or were.

    An answer may be short, even empty, and still have a `next`: give it as `after`."""
    results = await finding.search(resources.pool, actor, wanted, limit)
    return ResultList(
        results=[_found(resources.portal_url, actor, results, one) for one in results.found],
        next=results.after or None,
    )


def _found(portal_url: str, actor: Actor, results: Results, found: Found) -> FoundEntry:
    plan = results.plans[found.plan_id]
    folder = names.parent(found.path)
    base = base_of(portal_url, actor, plan.plan_id)
    shown = show_entry(base, found.last_point, folder, found.entry)
    query = f"run={found.last_point}&path={names.quoted(folder)}"
    shown["links"]["folder"] = f"{base}/entries?{query}"
    return FoundEntry(
        **shown,
        plan_id=plan.plan_id,
        plan=plan.name,
        agent=plan.hostname,
        deleted=found.is_deleted,
        run=found.last_point,
        last_seen_at=found.last_seen_at,
    )
