"""What every answer of the portal says to browsers, and who is nobody on every route."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from services.portal.__main__ import build
from tests.portal import builder
from tests.portal.conftest import PASSWORD, open_portal
from tests.portal.test_pages import browser, sign_in
from tests.portal.test_people_pages import UGO, UGO_TYPED, find_user, open_people
from tests.routes import Route, list_routes

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}
OPEN = {
    "/static",
    "/health/live",
    "/health/ready",
    "/sign-in",
    "/sign-in/second",
    "/forgotten",
    "/language/{locale}",
    "/brand.css",
    "/brand/logo",
    "/legal/{page}",
    "/agent",
    "/agent/{name}",
    "/.well-known/coffre-certificate-key.pem",
    "/api/v1/password/forgotten",
    "/openapi.json",
    "/api/v1/openapi.json",
    "/docs",
}
"""What is the same for everybody, signed in or not."""


def fill(path: str) -> str:
    """An address of a route, of nothing that exists."""
    filled = path.replace("{locale}", "fr").replace("{page}", "terms").replace("{number}", "1")
    return re.sub(r"\{\w+(:path)?\}", str(uuid4()), filled)


async def ask(who: Any, route: Route, **more: Any) -> Any:
    method, path = route
    method = "GET" if method == "*" else method
    content = {} if method in ("GET", "HEAD", "DELETE") else {"content": b"{}"}
    address = "/static/coffre.css" if path == "/static" else fill(path)
    return await who.request(method, address, **content, **more)


async def test_every_answer_tells_browsers_what_they_may_not(
    database: Any, servers: Any, bucket: str, tmp_path: Any
) -> None:
    address = "https://portal.example"
    async with (
        open_portal(database, servers, bucket, tmp_path, portal_url=address) as portal,
        browser(portal) as page,
    ):
        for route in sorted(list_routes(build(portal.parts))):
            answer = await ask(page, route)
            said = {name: answer.headers.get(name) for name in EVERYWHERE}
            assert said == EVERYWHERE, route
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, route
            assert "frame-ancestors 'none'" in policy or "sandbox" in policy, route
            assert not re.search(r"script-src[^;]*unsafe|\*", policy), route
            assert "camera=()" in answer.headers["permissions-policy"], route
            kind = answer.headers.get("content-type", "")
            if kind.startswith(("text/html", "application/json", "application/problem+json")):
                assert "no-store" in answer.headers["cache-control"], route


async def test_an_ex_user_is_nobody_on_every_route(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as his:
        token = await open_people(page)
        await page.post("/people", data={**token, **UGO_TYPED})
        bearer = await portal.sign_in(UGO)
        await sign_in(his, UGO, PASSWORD)
        cookies = dict(his.cookies)
        assert (await his.get("/account")).status_code == 200
        await page.post(await find_user(portal, UGO), data={**token, "change": "close"})
        for route in sorted(list_routes(build(portal.parts))):
            if route[1] in OPEN:
                continue
            answer = await ask(his, route)
            assert answer.status_code != 200, route
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/sign-in"), route
            his.cookies.update(cookies)  # also where an answer took them away
        async with portal.client(bearer) as program:
            for route in sorted(list_routes(build(portal.parts))):
                if route[1].startswith("/api/v1/") and route[1] not in OPEN:
                    assert (await ask(program, route)).status_code in (401, 404, 422), route
