"""An agent of another protocol version is told so at every route, before anything else."""

from __future__ import annotations

import re
from typing import Any

from libs.shared import protocol, web
from services.ingest import api
from tests.routes import list_routes
from tests.world.agents import Agent, problem_of
from tests.world.house import House

OURS = "2"
ANY_ID = "0" * 64


def every_route() -> list[tuple[str, str]]:
    """(method, address) of all of `/v1`; the ids in it are nobody's."""
    app = web.create_app("ingest", routers=api.ROUTERS, openapi_url="/v1/openapi.json")
    routes = {route for route in list_routes(app) if route[1].startswith("/v1/")}
    assert len(routes) > 10
    return sorted((method, re.sub(r"{[^}]+}", ANY_ID, path)) for method, path in routes)


async def test_at_every_route_another_version_is_told_what_to_install(ingest: House) -> None:
    async with ingest.http("ingest") as client:
        for method, path in every_route():
            for theirs in ("1", "3", "0", "", "2.0", "1, 2", "x" * 3000):
                answer = await client.request(
                    method, path, headers={protocol.HEADER: theirs}, content=b"anything"
                )
                if method == "HEAD":
                    assert answer.status_code == 400
                    continue
                assert problem_of(answer) == (400, "protocol-version"), (method, path, theirs)
                told = answer.json()
                assert (told["yours"], told["ours"]) == (theirs[:20], OURS)
                assert "install coffre-agent 0.3," in told["detail"]
            # Ours, or none as from curl, is asked for what else it lacks.
            for headers in ({protocol.HEADER: OURS}, {}):
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code in (200, 401, 422), (method, path)
        for path in ("/health/live", "/health/ready"):
            answer = await client.get(path, headers={protocol.HEADER: "1"})
            assert answer.status_code == 200


async def test_a_sender_in_the_middle_of_a_pack_hears_it_too(agent: Agent) -> None:
    run = await agent.start(await agent.declare())
    sent = 0

    async def pieces() -> Any:
        nonlocal sent
        for _ in range(128):
            sent += 1
            yield bytes(1 << 16)

    address = f"/v1/runs/{run}/packs/{ANY_ID}"
    for body in (bytes(8 << 20), pieces()):
        answer = await agent.client.put(address, content=body, headers={protocol.HEADER: "1"})
        assert problem_of(answer) == (400, "protocol-version")
        assert answer.headers["connection"] == "close"
