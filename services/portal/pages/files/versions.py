"""The versions of one file, as a ladder over time."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from libs.shared.catalogue import NEWEST, Version
from services.portal.actions.files import finding
from services.portal.actions.files.browsing import AskedPlace
from services.portal.actions.resources import Resources
from services.portal.api.access import ResourcesOf
from services.portal.pages.files.showing import Here, InPlan, show
from services.portal.pages.navigation import home_of, pages_of
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client
from services.portal.rules.files import names
from services.portal.rules.looks import Look
from services.portal.rules.people import Person

router = APIRouter()

_VERSIONS_SHOWN = 100


@router.get("/plans/{plan}/versions")
async def show_versions(
    request: Request,
    person: Client,
    resources: ResourcesOf,
    asked: InPlan,
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
) -> Response:
    """Every version of one file, to be looked at and downloaded."""
    return await render_versions(request, person, resources, asked, before)


async def render_versions(
    request: Request,
    person: Person,
    resources: Resources,
    asked: AskedPlace,
    before: int,
    look: Look | None = None,
) -> Response:
    """The page of versions; look: how far they are open to an operator."""
    history = await finding.list_versions(resources.pool, asked, before, _VERSIONS_SHOWN)
    pages = pages_of(asked.actor, history.plan.plan_id)
    here = Here.at(pages, history.versions[0].last_point, names.parent(history.path))
    return render(
        request,
        "versions.html",
        person,
        timezone=history.timezone,
        plan=history.plan,
        path=history.path,
        name=names.display(names.last(history.path)),
        here_at=here,
        home=home_of(asked.actor),
        look=look,
        crumbs=here.crumbs(names.parent(history.path)),
        versions=_rungs(history.versions, history.path),
        largest=max((one.entry.size for one in history.versions), default=0),
        older=history.older,
        is_first=before == NEWEST,
    )


def _rungs(versions: list[Version], path: bytes) -> list[dict[str, Any]]:
    """Versions, newest first, each with how much larger than the one before it is."""
    rungs = []
    for place, version in enumerate(versions):
        before = versions[place + 1] if place + 1 < len(versions) else None
        are_files = before is not None and {before.entry.kind, version.entry.kind} == {"f"}
        rungs.append(
            {
                **show(version.entry, path),
                "run": version.last_point,
                "first_run": version.first_point,
                "first_seen": version.first_seen_at,
                "last_seen": version.last_seen_at,
                "points": version.points,
                "removed": version.removed_at,
                "current": version.entry.last_run is None,
                "grown": version.entry.size - before.entry.size if before and are_files else None,
            }
        )
    return rungs
