"""Looking at copies: plans, runs, folders, versions, contents, what a restore reads."""

from __future__ import annotations

from typing import Any

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    PLAN,
    Acting,
    World,
    own,
)


async def _tick(world: World, path: str) -> Any:
    ticked = {"form_token": world.forms[world.page], "path": "srv", "pick": "a"}
    return await world.page.post(world.at(path), data=ticked)


def _one_place(world: World) -> Any:
    return {"places": [{"plan": world.at("{plan}"), "path": "srv/a", "run": 2}]}


ACTING: Acting = {
    ("GET", "/"): (lambda w: w.get(w.page, "/"), own(acts.PlansListed)),
    ("GET", "/plans/{plan}"): (lambda w: w.get(w.page, "/plans/{plan}"), own(acts.RunsListed)),
    ("GET", "/plans/{plan}/runs/{number}"): (
        lambda w: w.get(w.page, "/plans/{plan}/runs/1"),
        own(acts.RunViewed),
    ),
    ("GET", "/plans/{plan}/changes"): (
        lambda w: w.get(w.page, "/plans/{plan}/changes?older=1&newer=2&path=srv"),
        own(acts.PointsCompared),
    ),
    ("GET", PLAN + "/changes"): (
        lambda w: w.get(w.api, PLAN + "/changes?older=1&newer=2&path=srv"),
        own(acts.PointsCompared),
    ),
    ("GET", "/plans/{plan}/files"): (
        lambda w: w.get(w.page, "/plans/{plan}/files?path=srv"),
        own(acts.FolderListed),
    ),
    ("GET", "/plans/{plan}/file"): (
        lambda w: w.get(w.page, "/plans/{plan}/file?path=srv/a"),
        own(acts.FilePreviewed),
    ),
    ("POST", "/plans/{plan}/selection"): (
        lambda w: _tick(w, "/plans/{plan}/selection"),
        own(acts.SelectionDownloaded),
    ),
    ("POST", "/plans/{plan}/selection/size"): (
        lambda w: _tick(w, "/plans/{plan}/selection/size"),
        own(acts.FolderViewed),
    ),
    ("POST", "/plans/{plan}/selection/keep"): (
        lambda w: _tick(w, "/plans/{plan}/selection/keep"),
        [],  # a list of one's own
    ),
    ("POST", "/selection/keep"): (
        lambda w: w.send(w.page, "/selection/keep", pick=w.at("{plan}/1/srv")),
        [],  # the same
    ),
    ("GET", "/selection"): (
        lambda w: w.get(w.page, "/selection"),
        own(acts.FolderViewed, acts.FolderViewed),
    ),
    ("POST", "/selection"): (
        lambda w: w.send(w.page, "/selection"),
        own(acts.SelectionDownloaded, acts.SelectionDownloaded),
    ),
    ("POST", "/selection/drop"): (
        lambda w: w.send(w.page, "/selection/drop", pick=str(w.client.plan_id)),
        [],
    ),
    ("POST", "/api/v1/archive"): (
        lambda w: w.api.post("/api/v1/archive", json=_one_place(w)),
        own(acts.SelectionDownloaded),
    ),
    ("POST", "/api/v1/archive/size"): (
        lambda w: w.api.post("/api/v1/archive/size", json=_one_place(w)),
        own(acts.FolderViewed),
    ),
    ("GET", "/plans/{plan}/versions"): (
        lambda w: w.get(w.page, "/plans/{plan}/versions?path=srv/a"),
        own(acts.HistoryListed),
    ),
    ("GET", "/search"): (lambda w: w.get(w.page, "/search?q=srv"), own(acts.Searched)),
    ("GET", "/api/v1/plans"): (lambda w: w.get(w.api, "/api/v1/plans"), own(acts.PlansListed)),
    ("GET", PLAN + "/runs"): (lambda w: w.get(w.api, PLAN + "/runs"), own(acts.RunsListed)),
    ("GET", PLAN + "/entries"): (
        lambda w: w.get(w.api, PLAN + "/entries"),
        own(acts.FolderListed),
    ),
    ("GET", PLAN + "/points"): (lambda w: w.get(w.api, PLAN + "/points"), own(acts.RunsListed)),
    ("GET", PLAN + "/preview"): (
        lambda w: w.get(w.api, PLAN + "/preview?path=srv/a"),
        own(acts.FilePreviewed),
    ),
    ("GET", PLAN + "/checksum"): (
        lambda w: w.get(w.api, PLAN + "/checksum?path=srv/a"),
        own(acts.FileDownloaded),
    ),
    ("POST", PLAN + "/archive"): (
        lambda w: w.api.post(w.at(PLAN + "/archive"), json={"path": "srv", "names": ["a"]}),
        own(acts.SelectionDownloaded),
    ),
    ("POST", PLAN + "/archive/size"): (
        lambda w: w.api.post(w.at(PLAN + "/archive/size"), json={"path": "srv", "names": ["a"]}),
        own(acts.FolderViewed),
    ),
    ("GET", PLAN + "/history"): (
        lambda w: w.get(w.api, PLAN + "/history?path=srv/a"),
        own(acts.HistoryListed),
    ),
    ("GET", PLAN + "/runs/{number}"): (
        lambda w: w.get(w.api, PLAN + "/runs/1"),
        own(acts.RunViewed),
    ),
    ("GET", "/api/v1/search"): (
        lambda w: w.get(w.api, "/api/v1/search?q=srv"),
        own(acts.Searched),
    ),
    ("GET", PLAN + "/file"): (
        lambda w: w.get(w.api, PLAN + "/file?path=srv/a"),
        own(acts.FileDownloaded),
    ),
    ("GET", PLAN + "/archive"): (
        lambda w: w.get(w.api, PLAN + "/archive"),
        own(acts.FolderDownloaded),
    ),
    ("GET", PLAN + "/manifest"): (
        lambda w: w.get(w.api, PLAN + "/manifest"),
        own(acts.RestoreListed),
    ),
    ("POST", PLAN + "/chunks"): (
        lambda w: w.api.post(w.at(PLAN + "/chunks"), content=w.asked),
        own(acts.RestoreRead),
    ),
}
