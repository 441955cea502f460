"""Every route of the agents' protocol, for a client whose subscription stands this way or that."""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from libs.shared import web
from libs.shared.entries import FolderDelta
from services.ingest import api
from tests.routes import Route, list_routes
from tests.world.agents import Agent, problem_of, taken
from tests.world.house import House

NAME, CONTENT = b"salaires-2026", random.Random(3).randbytes(3_000)


@dataclass
class Machine:
    """An agent with a restore point, and open runs of plans of their own."""

    agent: Agent
    plans: dict[str, str]
    runs: dict[str, str]
    code: str

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self.agent.client.request(method, path, **more)


async def open_runs(agent: Agent) -> Machine:
    plans = {name: await agent.declare(name) for name in ("sent", "script", "given-up", "begun")}
    delta = FolderDelta(b"", [agent.file(NAME, CONTENT)], [])
    await agent.copy(plans["sent"], delta, contents=[CONTENT])
    runs = {name: await agent.start(plan) for name, plan in plans.items() if name != "begun"}
    code = uuid.uuid4().hex
    await agent.tenant.open_enrolment(code, valid_for=timedelta(hours=1))
    return Machine(agent, plans, runs, code)


def start(machine: Machine) -> dict[str, object]:
    plan, key = machine.plans["begun"], str(uuid.uuid4())
    return {"plan_id": plan, "run_key": key, "estimated_new_bytes": 1}


# In this order: what comes first needs nothing of what comes after.
CALLS: dict[Route, Callable[[Machine], Awaitable[httpx2.Response]]] = {
    ("POST", "/v1/enrolments"): lambda m: m.call(
        "POST", "/v1/enrolments", json={"code": m.code, "hostname": "another"}
    ),
    ("PUT", "/v1/plans/{name}"): lambda m: m.call(
        "PUT",
        "/v1/plans/another",
        json={"folders": ["/srv"], "schedule": "30 1 * * *", "timezone": "Europe/Paris"},
    ),
    ("GET", "/v1/plans/{name}"): lambda m: m.call("GET", "/v1/plans/sent"),
    ("GET", "/v1/plans/{plan_id}/entries"): lambda m: m.call(
        "GET", f"/v1/plans/{m.plans['sent']}/entries"
    ),
    ("POST", "/v1/runs/{run_id}/missing"): lambda m: m.call(
        "POST", f"/v1/runs/{m.runs['sent']}/missing", content=m.agent.id_of(CONTENT)
    ),
    ("PUT", "/v1/runs/{run_id}/packs/{pack}"): lambda m: m.agent.upload(
        m.runs["sent"], m.agent.pack(b"something new")
    ),
    ("POST", "/v1/runs/{run_id}/entries"): lambda m: m.agent.send(
        m.runs["sent"], FolderDelta(b"", [m.agent.file(b"again", CONTENT)], [])
    ),
    ("POST", "/v1/runs/{run_id}/commit"): lambda m: m.agent.commit(m.runs["sent"]),
    ("PUT", "/v1/runs/{run_id}/files/{path}"): lambda m: m.call(
        "PUT", f"/v1/runs/{m.runs['script']}/files/a", content=b"of a script"
    ),
    ("POST", "/v1/runs"): lambda m: m.call("POST", "/v1/runs", json=start(m)),
}
ALWAYS: dict[Route, Callable[[Machine], Awaitable[httpx2.Response]]] = {
    ("POST", "/v1/runs/{run_id}/abort"): lambda m: m.agent.abort(m.runs["given-up"]),
    ("GET", "/v1/openapi.json"): lambda m: m.call("GET", "/v1/openapi.json"),
}
"""What works in every state: ending a run, and what tells of nobody."""

STATES = {
    "active": "",
    "ending": "",
    "suspended": "subscription-suspended",
    "ended": "subscription-ended",
    "destroyed": "subscription-ended",
}
"""Each state with the code of the refusal, empty where copies are taken."""


def test_every_route_of_the_protocol_is_called() -> None:
    app = web.create_app("ingest", routers=api.ROUTERS, openapi_url="/v1/openapi.json")
    routes = {
        (method, path.replace(":anything", ""))
        for method, path in list_routes(app)
        if path.startswith("/v1/") and method != "HEAD"
    }
    assert routes == CALLS.keys() | ALWAYS.keys()


@pytest.mark.parametrize(("state", "code"), STATES.items())
async def test_every_route_asks_how_the_subscription_stands(
    agent: Agent, ingest: House, state: str, code: str
) -> None:
    machine = await open_runs(agent)
    before = await held(agent, ingest)
    await agent.tenant.becomes(state, subscription_reason="unpaid")  # type: ignore[arg-type]
    for route, call in CALLS.items():
        answer = await call(machine)
        told = f"{' '.join(route)} of a client that is {state}: {answer.status_code}"
        if code:
            assert answer.status_code == 403, f"{told}; it is to be refused with {code}"
            assert problem_of(answer) == (403, code), told
            assert NAME not in answer.content, f"{told}, and a file's name"
        else:
            assert answer.is_success, (told, answer.text)
    if code:
        assert await held(agent, ingest) == before, "something of it was taken in"
    for route, call in ALWAYS.items():
        assert taken(await call(machine)), (route, state)


async def held(agent: Agent, ingest: House) -> list[Any]:
    """How much of a client there is: machines, plans, packs, files, batches, restore points."""
    rows = await ingest.fetch(
        "SELECT (SELECT count(*) FROM ingest.agents WHERE tenant_id = $1) AS agents,"
        " (SELECT count(*) FROM ingest.plans WHERE tenant_id = $1) AS plans,"
        " (SELECT count(*) FROM catalogue.packs WHERE tenant_id = $1) AS packs,"
        " (SELECT count(*) FROM ingest.run_files f JOIN ingest.runs r USING (run_id)"
        " WHERE r.tenant_id = $1) AS files,"
        " (SELECT count(*) FROM ingest.run_batches b JOIN ingest.runs r USING (run_id)"
        " WHERE r.tenant_id = $1) AS batches,"
        " (SELECT count(*) FROM catalogue.runs WHERE tenant_id = $1) AS points",
        agent.tenant.tenant_id,
    )
    return list(rows[0].values())
