"""Incidents, requests for help, plans that are paused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from libs.shared import clock
from services.portal.rules.log import acts
from tests.portal.acting.world import (
    AT_INCIDENT,
    INCIDENT,
    PLAN,
    TENANT,
    TENANTS,
    Acting,
    World,
    nobody,
    own,
)

UNTIL = (clock.now() + timedelta(days=99)).isoformat()
PAUSE = {"until": UNTIL, "reason": "retired"}


async def find_run(world: World) -> str:
    """A run of the client."""
    return str(
        await world.portal.admin.fetchval(
            "SELECT run_id FROM portal.runs WHERE tenant_id = $1 LIMIT 1", world.client.tenant_id
        )
    )


async def help_by_form(world: World) -> Any:
    """Asks for help on the run's page."""
    fields = {"run": await find_run(world), "key": str(uuid4()), "message": "Why?"}
    return await world.send(world.page, "/plans/{plan}/runs/1/help", **fields)


async def help_by_api(world: World) -> Any:
    """Asks for help by the API."""
    return await world.api.post(f"/api/v1/runs/{await find_run(world)}/help", json={})


ACTING: Acting = {
    ("GET", "/plans/{plan}/pause"): (
        lambda w: w.get(w.page, "/plans/{plan}/pause"),
        own(acts.PauseViewed),
    ),
    ("POST", "/plans/{plan}/pause"): (
        lambda w: w.send(w.page, "/plans/{plan}/pause", until=UNTIL[:10], reason="retired"),
        own(acts.PlanPaused),
    ),
    ("POST", PLAN + "/pause"): (
        lambda w: w.api.post(w.at(PLAN + "/pause"), json=PAUSE),
        own(acts.PlanPaused),
    ),
    ("POST", TENANTS + "/plans/{plan}/pause"): (
        lambda w: w.operator.post(w.at(TENANT + "/plans/{plan}/pause"), json=PAUSE),
        own(acts.PlanPaused),
    ),
    ("POST", "/plans/{plan}/runs/{number}/help"): (help_by_form, own(acts.HelpAsked)),
    ("POST", "/api/v1/runs/{run_id}/help"): (help_by_api, own(acts.HelpAsked)),
    ("GET", "/api/v1/incidents"): (
        lambda w: w.get(w.operator, "/api/v1/incidents"),
        nobody(acts.IncidentsListed),
    ),
    ("GET", INCIDENT): (lambda w: w.get(w.operator, AT_INCIDENT), own(acts.IncidentViewed)),
    ("POST", INCIDENT + "/acknowledge"): (
        lambda w: w.operator.post(AT_INCIDENT + "/acknowledge", json={}),
        own(acts.IncidentDecided),
    ),
    ("POST", INCIDENT + "/snooze"): (
        lambda w: w.operator.post(AT_INCIDENT + "/snooze", json=PAUSE),
        own(acts.IncidentDecided),
    ),
    ("POST", INCIDENT + "/note"): (
        lambda w: w.operator.post(AT_INCIDENT + "/note", json={"note": "called"}),
        own(acts.IncidentDecided),
    ),
    ("POST", INCIDENT + "/close"): (
        lambda w: w.operator.post(AT_INCIDENT + "/close", json={"reason": "gone"}),
        own(acts.IncidentDecided),
    ),
}
