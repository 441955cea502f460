"""What the portal answers follows from its own address, never from the Host of a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from libs.shared.settings import InvalidSettings, read
from services.portal.settings import Settings
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, Portal, open_portal
from tests.portal.test_pages import BROWSER, form_token, sign_in

PUBLIC = "https://coffre.provider.example"


@pytest.fixture
async def public(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Portal]:
    """A portal behind a proxy that speaks TLS, and passes another Host than people type."""
    async with open_portal(database, servers, bucket, tmp_path, portal_url=PUBLIC) as portal:
        yield portal


def enter(portal: Portal, **headers: str) -> httpx2.AsyncClient:
    return portal.client(headers={**BROWSER, **headers})


async def test_cookies_over_tls_stay_there(public: Portal) -> None:
    async with enter(public) as page:
        answer = await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == [
        "__Host-coffre",
        "__Host-coffre-device",
        "__Host-coffre-pending",
    ]
    for cookie in cookies:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
        assert not any(part.startswith("domain") for part in parts)


async def test_whoever_came_over_tls_comes_over_tls(public: Portal, portal: Portal) -> None:
    for path in ("/sign-in", "/nowhere", "/api/v1/plans", "/static/coffre.css"):
        async with enter(public) as page:
            told = (await page.get(path)).headers["strict-transport-security"]
        assert told == "max-age=31536000"
        async with enter(portal) as page:
            assert "strict-transport-security" not in (await page.get(path)).headers


async def test_a_form_is_ours_whatever_host_the_proxy_passes(public: Portal) -> None:
    ours: list[dict[str, str]] = [
        {"Origin": PUBLIC},
        {"Origin": PUBLIC + ":443"},
        {"Origin": PUBLIC, "Host": "portal.internal:8000"},
        {"Host": "portal.internal", "Sec-Fetch-Site": "same-origin"},
        {},
    ]
    theirs: list[dict[str, str]] = [
        {"Origin": "https://evil.example", "Host": "evil.example"},
        {"Origin": "http://coffre.provider.example"},
        {"Origin": "https://coffre.provider.example:444"},
        {"Origin": "null"},
        {"Origin": "https://[evil"},
        {"Origin": PUBLIC, "Sec-Fetch-Site": "cross-site"},
        {"Origin": PUBLIC, "Sec-Fetch-Site": "same-site"},
    ]
    for headers, status in [(one, 303) for one in ours] + [(one, 403) for one in theirs]:
        async with enter(public, **headers) as page:
            answer = await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert answer.status_code == status, headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example/x?", "h//evil.example/%2f?a=b#"])
async def test_no_answer_leads_to_the_host_that_a_request_names(portal: Portal, host: str) -> None:
    paths = ("/", "/clients/", "/static", "/sign-in/", "/plans/x?run=1", "/api/v1/tenants/", "//e/")
    async with enter(portal, Host=host) as page:
        for path in paths:
            answer = await page.get(path)
            assert "evil" not in answer.headers.get("location", ""), path
            assert "evil" not in answer.text, path
        sent_away = await page.get("/plans/x?run=1")
    assert sent_away.headers["location"] == "/sign-in?next=%2Fplans%2Fx%3Frun%3D1"


async def test_signing_out_takes_the_cookie_as_it_was_set(portal: Portal) -> None:
    async with enter(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        token = form_token((await page.get("/account")).text)
        await page.post("/sign-out", data={"form_token": token})
        assert "coffre" not in page.cookies
        assert "coffre-device" in page.cookies  # the browser stays known


def test_the_portals_address_is_that_of_a_host() -> None:
    told = {
        name: "x" for name in Settings.model_fields if Settings.model_fields[name].is_required()
    }
    environ = {f"COFFRE_{name.upper()}": value for name, value in told.items()}
    for good in (PUBLIC, PUBLIC + "/", "http://127.0.0.1:8000"):
        settings = read(Settings, {**environ, "COFFRE_PORTAL_URL": good})
        assert settings.portal_url == good.rstrip("/")
    for wrong in ("coffre.example", "ftp://coffre.example", "https://", PUBLIC + "/portal"):
        with pytest.raises(InvalidSettings, match="COFFRE_PORTAL_URL is not valid"):
            read(Settings, {**environ, "COFFRE_PORTAL_URL": wrong})
