"""Whoever may not recover reads no file and no name: every route, in every state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import pytest

from services.portal.__main__ import build
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD, Portal
from tests.portal.dropping import count_fills
from tests.portal.nameless import list_nameless
from tests.portal.test_pages import browser, form_token, sign_in
from tests.portal.test_search import Settle, settle
from tests.routes import Route, list_routes

__all__ = ["settle"]

NAME, CONTENT = b"salaires-2026", b"quatre mille deux cents euros"
MARKS = (NAME, CONTENT)
API = "/api/v1/plans/{plan}"
LOOK = "/api/v1/tenants/{tenant_id}/plans/{plan}"

READING: dict[Route, str] = {
    ("GET", "/plans/{plan}/files"): "?path=srv",
    ("GET", "/plans/{plan}/versions"): "?path=srv/" + NAME.decode(),
    ("GET", "/search"): "?q=salaires",
    ("GET", "/selection"): "",
    ("GET", "/api/v1/search"): "?q=salaires",
    ("GET", "/plans/{plan}/changes"): "?older=1&newer=2&path=srv",
    ("GET", API + "/changes"): "?older=1&newer=2&path=srv",
    ("GET", API + "/entries"): "?path=srv",
    ("GET", API + "/history"): "?path=srv/" + NAME.decode(),
    ("GET", API + "/file"): "?path=srv/" + NAME.decode(),
    ("GET", API + "/archive"): "?path=srv",
    ("GET", API + "/preview"): "?path=srv/" + NAME.decode(),
    ("GET", API + "/checksum"): "?path=srv/" + NAME.decode(),
    ("GET", "/plans/{plan}/file"): "?path=srv/" + NAME.decode(),
    ("GET", API + "/manifest"): "",
    ("POST", API + "/chunks"): "",
    ("GET", "/volume"): "?plan={plan}&path=srv",
    ("GET", "/volume/preview"): "?what=folder&plan={plan}&path=srv/salaires-2026-anciens",
    ("GET", "/api/v1/volume"): "?plan={plan}&path=srv",
    ("GET", "/api/v1/reductions"): "",
    ("GET", "/clients/{tenant_id}/plans/{plan}/files"): "?path=srv",
    ("GET", "/api/v1/tenants/{tenant_id}/plans/{plan}/entries"): "?path=srv",
    ("GET", "/clients/{tenant_id}/plans/{plan}/versions"): "?path=srv/" + NAME.decode(),
    ("GET", "/clients/{tenant_id}/plans/{plan}/file"): "?path=srv/" + NAME.decode(),
    ("GET", "/clients/{tenant_id}/plans/{plan}/changes"): "?older=1&newer=2&path=srv",
    ("GET", "/clients/{tenant_id}/volume"): "?plan={plan}&path=srv",
    ("GET", "/clients/{tenant_id}/search"): "?q=salaires",
    ("GET", "/api/v1/tenants/{tenant_id}/search"): "?q=salaires",
    ("GET", LOOK + "/history"): "?path=srv/" + NAME.decode(),
    ("GET", LOOK + "/changes"): "?older=1&newer=2&path=srv",
    ("GET", LOOK + "/file"): "?path=srv/" + NAME.decode(),
    ("GET", LOOK + "/archive"): "?path=srv",
    ("GET", LOOK + "/preview"): "?path=srv/" + NAME.decode(),
    ("GET", LOOK + "/checksum"): "?path=srv/" + NAME.decode(),
    ("GET", "/api/v1/tenants/{tenant_id}/volume"): "?plan={plan}&path=srv",
    ("GET", "/api/v1/tenants/{tenant_id}/reductions"): "",
}
"""What reads files or their names, each with what it is asked for."""

DESK = (
    "/clients",
    "/queue",
    "/overages",
    "/notices",
    "/billing",
    "/prices",
    "/parked",
    "/destructions",
    "/operators",
)
OPERATORS = (
    *DESK,
    "/api/v1/queue",
    "/api/v1/days",
    "/api/v1/overages",
    "/api/v1/approvals",
    "/api/v1/operators",
    "/api/v1/tenants",
    "/api/v1/prices",
    "/api/v1/billing",
    "/api/v1/parked",
    "/api/v1/incidents",
)

STATES: dict[str, str] = {
    "active": "",
    "ending": "",
    "suspended": "subscription-suspended",
    "ended": "subscription-ended",
    "destroyed": "subscription-destroyed",
}
"""Each state with the code of the refusal, empty where recovery is allowed."""


@dataclass
class Readers:
    """A client with one restore point, and who of its people may ask how."""

    portal: Portal
    client: builder.Client
    chunks: bytes
    api: httpx2.AsyncClient
    page: httpx2.AsyncClient
    operator: httpx2.AsyncClient
    desk: httpx2.AsyncClient

    async def becomes(self, state: str) -> None:
        await self.portal.admin.execute(
            "UPDATE portal.tenants SET subscription = $2, subscription_reason = 'unpaid'"
            " WHERE tenant_id = $1",
            self.client.tenant_id,
            state,
        )

    async def ask(self, route: Route, query: str = "") -> httpx2.Response:
        method, path = route
        if path.startswith(OPERATORS):
            who = self.desk if path.startswith(DESK) else self.operator
        else:
            who = self.api if path.startswith("/api/") else self.page
        own = {
            "plan": self.client.plan_id,
            "tenant_id": self.client.tenant_id,
            "number": 1,
            "month": "2026-10",
            "answer": "call",
        }
        address = path.replace("{path:path}", "x").format_map(defaultdict(lambda: "x", own))
        query = query.format(plan=self.client.plan_id)
        return await who.request(
            method, address + query, content=self.chunks if method == "POST" else None
        )


@pytest.fixture
async def readers(portal: Portal, settle: Settle) -> AsyncIterator[Readers]:
    client = await builder.open_client(portal)
    archive = b"srv/" + NAME + b"-anciens"
    await client.commit(
        {b"srv/" + NAME: builder.text(CONTENT), archive + b"/a": builder.text(b"archives")}
    )
    await client.commit({b"srv/" + NAME: builder.text(CONTENT + b", et plus")}, 2)
    await client.add_run(1)
    await count_fills(portal)
    async with portal.client(client.token) as api:
        wish = {"what": "folder", "plan": str(client.plan_id), "folder": archive.decode()}
        assert (await api.post("/api/v1/reductions", json=wish)).status_code == 202
    await settle()
    rows = await portal.admin.fetch(builder.PLACES)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(portal.client(client.token))
        page = await stack.enter_async_context(browser(portal))
        operator = await stack.enter_async_context(portal.operator())
        desk = await stack.enter_async_context(browser(portal))
        await sign_in(page, client.email, PASSWORD)
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        ticked = {
            "form_token": form_token((await page.get("/account")).text),
            "pick": f"{client.plan_id}/2/srv/{NAME.decode()}",
        }
        assert (await page.post("/selection/keep", data=ticked)).status_code == 303
        look = f"/api/v1/tenants/{client.tenant_id}/look"
        assert (await operator.post(look, json={"reason": "asked us to"})).status_code == 200
        yield Readers(portal, client, builder.asked(rows), api, page, operator, desk)


async def test_every_route_that_reads_asks_whether_it_may(readers: Readers) -> None:
    heads = {("HEAD", path): query for (method, path), query in READING.items() if method == "GET"}
    reading = READING | heads
    for state, code in STATES.items():
        await readers.becomes(state)
        for route, query in reading.items():
            answer = await readers.ask(route, query)
            told = f"{' '.join(route)} of a client that is {state}: {answer.status_code}"
            if not code:
                assert answer.status_code == 200, told
                if route[0] != "HEAD":
                    assert any(mark in answer.content for mark in MARKS), f"{told}, and no file"
                continue
            assert answer.status_code == 403, f"{told}; it is to be refused with {code}"
            assert not any(mark in answer.content for mark in MARKS), told
            if route[0] != "HEAD" and route[1].startswith("/api/"):
                assert answer.json()["type"] == f"urn:coffre:problem:{code}", told
        form = await readers.page.get("/search")
        assert form.status_code == (403 if code else 200), f"the form of a search, {state}"


@pytest.mark.parametrize("at_once", [1, pytest.param(len(STATES), marks=pytest.mark.long)])
async def test_no_other_route_tells_of_a_file(readers: Readers, at_once: int) -> None:
    """Every route, asked as it stands: a new one has to be put in one of the tables.

    Each in one of the states, or in so many of them.
    """
    elsewhere = list_nameless()
    told = "does it read files or their names? Then READING is its table"
    assert list_routes(build(readers.portal.parts)) == READING.keys() | elsewhere, told
    asked = [route for route in sorted(elsewhere) if route[0] == "GET"]
    for turn, state in enumerate(STATES):
        await readers.becomes(state)
        for number, route in enumerate(asked):
            if (number + turn) % len(STATES) < at_once:
                answer = await readers.ask(route)
                # Who looked at which file stays in the client's own log: its name, no content.
                is_log = route[1].endswith(("/log", "/log/export"))
                marks = (CONTENT,) if is_log else MARKS
                assert not any(mark in answer.content for mark in marks), (route, state)
