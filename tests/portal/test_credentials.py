"""Where somebody is signed in, and the tokens that they gave to programs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from tests.portal import builder
from tests.portal.conftest import PASSWORD
from tests.portal.test_pages import BROWSER, browser, form_token, sign_in
from tests.portal.test_people_pages import CAMILLE, open_people

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
SESSIONS, TOKENS = "/account/sessions", "/account/tokens"


async def test_somebody_sees_where_they_are_signed_in_and_ends_it(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as home:
        home.headers["User-Agent"] = FIREFOX
        await sign_in(home, CAMILLE, PASSWORD)
        token = await open_people(page)
        shown = (await page.get(SESSIONS)).text
        assert "Firefox, Windows" in shown
        assert "(celui-ci)" in shown
        ids = re.findall(r'name="credential_id" value="([0-9a-f-]{36})"', shown)
        assert len(ids) == 2, "that browser, and the token of the API"
        [firefox] = [
            one["credential_id"]
            for one in (await home.get("/api/v1/sessions", headers={"Accept": "*/*"})).json()[
                "sessions"
            ]
            if one["is_this"]
        ]
        ended = await page.post(SESSIONS, data={**token, "credential_id": firefox})
        assert ended.headers["location"] == f"{SESSIONS}?done=ended"
        assert (await home.get("/account")).headers["location"].startswith("/sign-in")
        twice = await page.post(SESSIONS, data={**token, "credential_id": firefox})
        assert twice.headers["location"] == f"{SESSIONS}?done=gone"
        stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger")
        async with portal.client(stranger.token) as eve:
            assert (await eve.delete(f"/api/v1/sessions/{ids[0]}")).status_code == 404
        everywhere = await page.post(SESSIONS, data={**token, "change": "everywhere"})
        assert everywhere.headers["location"] == "/sign-in"
        assert (await page.get("/account")).headers["location"].startswith("/sign-in")
        async with portal.client(client.token) as api:
            assert (await api.get("/api/v1/plans")).status_code == 401


async def test_a_form_of_a_session_that_is_over_says_so_and_does_nothing(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page:
        token = await open_people(page)
        shown = await page.get("/account")
        assert shown.headers["cache-control"] == "private, no-store", (
            "the back button finds nothing"
        )
        assert (await page.post("/sign-out", data=token)).status_code == 303
        late = await page.post("/account", data={**token, "locale": "en"})
        assert (late.status_code, "Votre session est terminée" in late.text) == (401, True)
        assert 'href="/sign-in"' in late.text
        assert (await page.post("/sign-out", data=token)).headers["location"] == "/sign-in"
        await sign_in(page, CAMILLE, PASSWORD)
        old = await page.post("/account", data={**token, "locale": "en"})
        assert (old.status_code, "périmé" in old.text) == (403, True)


async def test_a_program_gets_a_token_of_its_own(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/a": builder.text(b"content")})
    async with browser(portal) as page:
        token = await open_people(page)
        form = {**token, "label": "Tableau <b>", "scope": "read", "days": "30", "change": "make"}
        refused = await page.post(TOKENS, data={**form, "password": "wrong"})
        assert (refused.status_code, "incorrect" in refused.text) == (401, True)
        made = await page.post(TOKENS, data={**form, "password": PASSWORD})
        assert made.status_code == 201
        [secret] = re.findall(r'<pre class="once"[^>]*><code>([\w-]+)</code>', made.text)
        assert secret not in (await page.get(TOKENS)).text, "shown once"
        assert "Tableau &lt;b&gt;" in made.text
    async with portal.client(secret) as program, portal.client(client.token) as api:
        assert (await program.get("/api/v1/plans")).status_code == 200
        manifest = await program.get(f"/api/v1/plans/{client.plan_id}/manifest")
        assert manifest.status_code == 200, "a restore reads"
        for method, path in (
            ("POST", "/api/v1/users"),
            ("DELETE", "/api/v1/sessions"),
            ("POST", "/api/v1/tokens/personal"),
        ):
            answer = await program.request(method, path, json={} if method == "POST" else None)
            assert answer.json()["type"].endswith(":token-reads-only"), path
        body = {"label": "all", "scope": "all", "days": 1}
        whole = (await api.post("/api/v1/tokens/personal", json=body)).json()
        async with portal.client(whole["token"]) as powerful:
            user = {"name": "Ugo", "email": "ugo@dupre.example"}
            assert (await powerful.post("/api/v1/users", json=user)).status_code == 201
            assert (await powerful.post("/api/v1/tokens/personal", json=body)).status_code == 403
            revoked = await api.delete(f"/api/v1/tokens/personal/{whole['credential_id']}")
            assert revoked.status_code == 204
            assert (await powerful.get("/api/v1/plans")).status_code == 401, "at once"
        listed = (await api.get("/api/v1/tokens/personal")).json()["tokens"]
        assert [one["label"] for one in listed] == ["Tableau <b>"]
        assert "token" not in listed[0]
        await portal.admin.execute("UPDATE portal.credentials SET expires_at = now()")
        assert (await program.get("/api/v1/plans")).status_code == 401, "its day has come"


async def test_a_session_ends_with_its_user(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page:
        await open_people(page)
        form_token((await page.get("/account")).text)
        await portal.admin.execute("DELETE FROM portal.known_sources")
        await portal.admin.execute("DELETE FROM portal.credentials")
        assert (await page.get("/account", headers=BROWSER)).status_code == 303


async def test_a_page_that_fails_keeps_its_token_out_of_the_log(portal: Any) -> None:
    portal.app.state.resources = replace(portal.parts, pool=None)
    async with browser(portal) as page:
        with capture_logs() as log:
            failed = await page.get("/invitations/secret-of-a-mail")
    assert (failed.status_code, "de notre côté" in failed.text) == (500, True)
    [said] = [one for one in log if one["event"] == "request.failed"]
    assert said["route"] == "/invitations/{token}"
