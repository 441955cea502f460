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
from tests.portal.test_pages import browser, sign_in
from tests.portal.test_search import Settle, settle
from tests.routes import Route, list_routes

__all__ = ["settle"]

NAME, CONTENT = b"salaires-2026", b"quatre mille deux cents euros"
MARKS = (NAME, CONTENT)
API = "/api/v1/plans/{plan}"

READING: dict[Route, str] = {
    ("GET", "/plans/{plan}/files"): "?path=srv",
    ("GET", "/plans/{plan}/versions"): "?path=srv/" + NAME.decode(),
    ("GET", "/search"): "?q=salaires",
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
    ("GET", "/api/v1/tenants/{tenant_id}/volume"): "?plan={plan}&path=srv",
    ("GET", "/api/v1/tenants/{tenant_id}/reductions"): "",
}
"""What reads files or their names, each with what it is asked for."""

ELSEWHERE = """
* /static
GET /health/live
GET /health/ready
GET /agent
GET /agent/{name}
GET /v1/{path:path}
POST /v1/{path:path}
PUT /v1/{path:path}
GET /brand.css
GET /brand/logo
GET /legal/{page}
GET /log
GET /log/export
GET /people
POST /people
GET /people/{user_id}
POST /people/{user_id}
GET /account/sessions
POST /account/sessions
GET /account/tokens
POST /account/tokens
GET /account/second-factor
POST /account/second-factor
GET /api/v1/sessions
DELETE /api/v1/sessions
DELETE /api/v1/sessions/{credential_id}
GET /api/v1/tokens/personal
POST /api/v1/tokens/personal
DELETE /api/v1/tokens/personal/{credential_id}
POST /api/v1/users/{user_id}/reset
DELETE /api/v1/users/{user_id}/second-factors
POST /api/v1/password/forgotten
GET /forgotten
POST /forgotten
GET /language/{locale}
GET /sign-in
POST /sign-in
GET /sign-in/second
POST /sign-in/second
POST /sign-out
GET /password
POST /password
GET /account
POST /account
GET /
GET /plans/{plan}
GET /plans/{plan}/runs/{number}
POST /plans/{plan}/runs/{number}/help
GET /plans/{plan}/pause
POST /plans/{plan}/pause
GET /plans/{plan}/recipients
POST /plans/{plan}/recipients
GET /documents
POST /documents/{document}/{version}
GET /api/v1/plans/{plan}/points
POST /api/v1/plans/{plan}/archive
POST /api/v1/plans/{plan}/archive/size
POST /plans/{plan}/selection
POST /plans/{plan}/selection/size
GET /api/v1/notices
POST /api/v1/notices
GET /api/v1/notices/{notice_id}
POST /api/v1/notices/{notice_id}/publish
POST /api/v1/notices/{notice_id}/withdraw
POST /api/v1/notices/{notice_id}/clients/{tenant_id}/send
POST /api/v1/notices/{notice_id}/carry-out
GET /reports
POST /reports
GET /reports/{token}
POST /reports/{token}
GET /api/v1/reports
PUT /api/v1/reports
PUT /api/v1/reports/readers/{email}
GET /invitations/{token}
POST /invitations/{token}
GET /orders
GET /orders/preview
POST /orders
GET /pulse
POST /quota/answer
GET /machines
POST /machines/codes
POST /machines/codes/{enrolment_id}/withdraw
GET /machines/{agent_id}/revoke
POST /machines/{agent_id}/revoke
GET /api/v1/machines
POST /api/v1/machines/codes
DELETE /api/v1/machines/codes/{enrolment_id}
POST /api/v1/machines/{agent_id}/revoke
GET /api/v1/tenants/{tenant_id}/machines
DELETE /api/v1/tenants/{tenant_id}/enrolments/{enrolment_id}
GET /overage/{token}/{answer}
POST /overage/{token}/{answer}
GET /api/v1/quota
GET /api/v1/volume/days
GET /api/v1/tenants/{tenant_id}/volume/days
POST /api/v1/quota/answer
GET /api/v1/tenants/{tenant_id}/quota
POST /api/v1/tenants/{tenant_id}/quota/extend
POST /api/v1/tenants/{tenant_id}/quota/block
POST /api/v1/tenants/{tenant_id}/quota/unblock
GET /clients
GET /clients/{tenant_id}
POST /volume/reductions
POST /volume/reductions/{reduction_id}/withdraw
POST /api/v1/reductions
POST /api/v1/reductions/preview
POST /api/v1/reductions/{reduction_id}/withdraw
POST /api/v1/tenants/{tenant_id}/reductions
POST /api/v1/tenants/{tenant_id}/reductions/preview
POST /api/v1/tenants/{tenant_id}/reductions/{reduction_id}/withdraw
POST /clients/{tenant_id}/enrolments
POST /clients/{tenant_id}/agents/{agent_id}/revoke
GET /api/v1/plans
GET /api/v1/plans/{plan}/runs
GET /api/v1/plans/{plan}/recipients
POST /api/v1/plans/{plan}/recipients
DELETE /api/v1/plans/{plan}/recipients/{email}
GET /api/v1/orders
POST /api/v1/orders
POST /api/v1/orders/preview
GET /api/v1/users
POST /api/v1/users
PATCH /api/v1/users/{user_id}
DELETE /api/v1/users/{user_id}
GET /api/v1/prices
PUT /api/v1/prices
POST /api/v1/billing/{month}/close
GET /api/v1/billing/{month}
GET /api/v1/tenants/{tenant_id}/orders
POST /api/v1/tenants/{tenant_id}/orders
POST /api/v1/tenants/{tenant_id}/orders/preview
PUT /api/v1/tenants/{tenant_id}/orders/allowed
POST /api/v1/tenants/{tenant_id}/quota/revise
POST /api/v1/tokens
DELETE /api/v1/tokens
POST /api/v1/password
POST /api/v1/administrators/reset
GET /api/v1/tenants
POST /api/v1/tenants
GET /api/v1/tenants/{tenant_id}
POST /api/v1/tenants/{tenant_id}/maintenance
POST /api/v1/tenants/{tenant_id}/suspend
POST /api/v1/tenants/{tenant_id}/resume
POST /api/v1/tenants/{tenant_id}/end
POST /api/v1/tenants/{tenant_id}/reinstate
POST /api/v1/tenants/{tenant_id}/enrolments
GET /api/v1/destructions
GET /api/v1/tenants/{tenant_id}/destruction
POST /api/v1/tenants/{tenant_id}/destruction/confirm
POST /api/v1/tenants/{tenant_id}/destruction/hold
POST /api/v1/tenants/{tenant_id}/destruction/release
GET /api/v1/tenants/{tenant_id}/certificate
GET /certificates/{token}
GET /certificates/{token}/json
GET /.well-known/coffre-certificate-key.pem
POST /api/v1/agents/{agent_id}/revoke
GET /api/v1/documents
POST /api/v1/documents
GET /api/v1/documents/asked
POST /api/v1/documents/{document}/{version}/accept
GET /api/v1/documents/{document}/{version}/acceptances
POST /api/v1/runs/{run_id}/help
POST /api/v1/plans/{plan}/pause
POST /api/v1/tenants/{tenant_id}/plans/{plan}/pause
GET /api/v1/incidents
GET /api/v1/incidents/{incident_id}
POST /api/v1/incidents/{incident_id}/acknowledge
POST /api/v1/incidents/{incident_id}/snooze
POST /api/v1/incidents/{incident_id}/close
POST /api/v1/incidents/{incident_id}/note
GET /api/v1/parked
GET /api/v1/parked/{service}/{event_id}
POST /api/v1/parked/{service}/{event_id}/replay
POST /api/v1/parked/{service}/{event_id}/drop
GET /api/v1/approvals
POST /api/v1/approvals/{approval_id}/confirm
POST /api/v1/approvals/{approval_id}/decline
GET /api/v1/operators
POST /api/v1/operators
DELETE /api/v1/operators/{user_id}
PATCH /api/v1/operators/{user_id}
POST /api/v1/operators/{user_id}/reset
GET /api/v1/overages
GET /api/v1/queue
PATCH /api/v1/tenants/{tenant_id}
DELETE /api/v1/tenants/{tenant_id}/enrolments/{enrolment_id}
POST /api/v1/tenants/{tenant_id}/notes
DELETE /api/v1/tenants/{tenant_id}/notes/{note_id}
GET /api/v1/tenants/{tenant_id}/overview
POST /api/v1/tenants/{tenant_id}/plans/{plan}/clear
POST /approvals/{approval_id}/{answer}
GET /billing
GET /billing/{month}
POST /billing/{month}/close
GET /billing/{month}/export
GET /clients/days
GET /clients/new
POST /clients/new
GET /clients/{tenant_id}/agents/{agent_id}/revoke
GET /clients/{tenant_id}/certificate
GET /clients/{tenant_id}/contract
POST /clients/{tenant_id}/enrolments/{enrolment_id}/withdraw
POST /clients/{tenant_id}/maintenance
POST /clients/{tenant_id}/notes
POST /clients/{tenant_id}/notes/{note_id}/remove
POST /clients/{tenant_id}/orders
POST /clients/{tenant_id}/orders/allowed
GET /clients/{tenant_id}/orders/preview
POST /clients/{tenant_id}/orders/revise
GET /clients/{tenant_id}/plans/{plan}
POST /clients/{tenant_id}/plans/{plan}/clear
POST /clients/{tenant_id}/plans/{plan}/pause
GET /clients/{tenant_id}/plans/{plan}/runs/{number}
POST /clients/{tenant_id}/quota/{decision}
POST /clients/{tenant_id}/recipients
POST /clients/{tenant_id}/reset
GET /clients/{tenant_id}/subscription/{step}
POST /clients/{tenant_id}/subscription/{step}
GET /clients/{tenant_id}/terms
POST /clients/{tenant_id}/terms
GET /destructions
POST /destructions/{tenant_id}/{decision}
GET /notices
GET /notices/new
POST /notices/new
GET /notices/{notice_id}
POST /notices/{notice_id}/clients/{tenant_id}/send
POST /notices/{notice_id}/{step}
GET /operators
POST /operators
POST /operators/{user_id}/{change}
GET /overages
GET /parked
GET /parked/{service}/{event_id}
POST /parked/{service}/{event_id}/{decision}
GET /prices
POST /prices
GET /queue
POST /queue/{incident_id}/{decision}
GET /account/second-factor
POST /account/second-factor
GET /account/sessions
POST /account/sessions
GET /account/tokens
POST /account/tokens
POST /api/v1/password/forgotten
DELETE /api/v1/sessions
GET /api/v1/sessions
DELETE /api/v1/sessions/{credential_id}
GET /api/v1/tokens/personal
POST /api/v1/tokens/personal
DELETE /api/v1/tokens/personal/{credential_id}
POST /api/v1/users/{user_id}/reset
DELETE /api/v1/users/{user_id}/second-factors
GET /forgotten
POST /forgotten
GET /language/{locale}
GET /log
GET /log/export
GET /people
POST /people
GET /people/{user_id}
POST /people/{user_id}
GET /sign-in/second
POST /sign-in/second
POST /api/v1/tenants/{tenant_id}/users
DELETE /api/v1/tenants/{tenant_id}/users/{user_id}
POST /clients/{tenant_id}/people
POST /clients/{tenant_id}/people/{user_id}/close
GET /brand.css
GET /brand/logo
GET /legal/{page}
"""
"""What works in every state, as it names no file that is kept."""

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
    rows = await portal.admin.fetch(
        'SELECT chunk_id, pack_no, "offset", length, size, encoding FROM catalogue.chunks'
    )
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(portal.client(client.token))
        page = await stack.enter_async_context(browser(portal))
        operator = await stack.enter_async_context(portal.operator())
        desk = await stack.enter_async_context(browser(portal))
        await sign_in(page, client.email, PASSWORD)
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
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


async def test_no_other_route_tells_of_a_file(readers: Readers) -> None:
    """Every route, asked as it stands: a new one has to be put in one of the tables."""
    elsewhere = {(method, path) for method, path in map(str.split, ELSEWHERE.strip().splitlines())}
    told = "does it read files or their names? Then READING is its table"
    assert list_routes(build(readers.portal.parts)) == READING.keys() | elsewhere, told
    for state in STATES:
        await readers.becomes(state)
        for route in sorted(elsewhere):
            if route[0] == "GET":
                answer = await readers.ask(route)
                # Who looked at which file stays in the client's own log: its name, no content.
                marks = (CONTENT,) if route[1] in {"/log", "/log/export"} else MARKS
                assert not any(mark in answer.content for mark in marks), (route, state)
