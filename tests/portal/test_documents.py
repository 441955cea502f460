"""Documents: published once, mailed to all, accepted by name; nothing ever waits for it."""

from __future__ import annotations

from typing import Any

from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

EMAIL = "camille@dupre.example"
TERMS = {
    "document": "general-terms",
    "version": "2027-1",
    "title": "Conditions générales",
    "text": "Article 1 <b>gras</b>\nLa maintenance…",
    "in_force_on": "2027-01-01",
}


async def test_an_administrator_accepts_by_name_at_the_next_sign_in(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    async with portal.operator() as api:
        assert (await api.post("/api/v1/documents", json=TERMS)).status_code == 201
        again = await api.post("/api/v1/documents", json={**TERMS, "text": "another"})
        assert again.status_code == 409
    [told] = await portal.events("document.published.v1")
    assert (told["tenant_id"], told["version"]) == (tenant_id, "2027-1")

    async with browser(portal) as page:
        signed_in = await sign_in(page, EMAIL, PASSWORD, "/account")
        assert signed_in.headers["location"] == "/documents?next=%2Faccount"
        shown = await page.get(signed_in.headers["location"])
        assert "Moi, Camille Martin, j’accepte ce document" in shown.text
        assert "&lt;b&gt;gras&lt;/b&gt;" in shown.text
        assert 'href="/account">Plus tard' in shown.text
        # Nothing waits for the answer.
        assert (await page.get("/")).status_code == 200
        form = {"form_token": form_token(shown.text)}
        forged = await page.post("/documents/general-terms/2027-1")
        assert forged.status_code == 403
        for _ in range(2):
            answered = await page.post("/documents/general-terms/2027-1", data=form)
            assert answered.headers["location"] == "/documents"
        assert (await page.post("/documents/general-terms/none", data=form)).status_code == 404
        assert "Accepté par Camille Martin" in (await page.get("/documents")).text

    async with browser(portal) as page:
        assert (await sign_in(page, EMAIL, PASSWORD)).headers["location"] == "/"
    async with portal.operator() as api:
        [listed] = (await api.get("/api/v1/documents")).json()["documents"]
        assert listed["acceptances"] == 1
        kept = await api.get("/api/v1/documents/general-terms/2027-1/acceptances")
    [acceptance] = kept.json()["acceptances"]
    assert acceptance["tenant"] == "Dupré"
    assert acceptance["name"] == "Camille Martin"
    assert acceptance["address"] == "127.0.0.1"
    row = await portal.admin.fetchrow(
        "SELECT a.text_sha256 = sha256(convert_to(d.text, 'UTF8')) AS same"
        " FROM portal.acceptances a JOIN portal.documents d USING (document, version)"
    )
    assert row["same"]


async def test_only_the_newest_version_is_asked_for(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    token = await portal.sign_in(EMAIL)
    async with portal.operator() as api:
        for version in ("2027-1", "2027-2"):
            await api.post("/api/v1/documents", json={**TERMS, "version": version})
    async with portal.client(token) as api:
        asked = (await api.get("/api/v1/documents/asked")).json()
        assert [one["version"] for one in asked["pending"]] == ["2027-2"]
        accepted = await api.post("/api/v1/documents/general-terms/2027-2/accept")
        assert accepted.status_code == 204
        asked = (await api.get("/api/v1/documents/asked")).json()
    assert asked["pending"] == []
    assert [one["accepted_by"] for one in asked["accepted"]] == ["Camille Martin"]


async def test_an_ended_client_is_asked_for_nothing_and_told_nothing(portal: Any) -> None:
    ended = await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    async with portal.operator() as api:
        await api.post(f"/api/v1/tenants/{ended}/end", json={"reason": "closes"})
        await api.post("/api/v1/documents", json=TERMS)
    assert await portal.events("document.published.v1") == []
    async with browser(portal) as page:
        assert (await sign_in(page, EMAIL, PASSWORD)).headers["location"] == "/"


async def test_another_client_and_a_mere_user_answer_for_nobody(portal: Any) -> None:
    owner = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    async with portal.operator() as api:
        await api.post("/api/v1/documents", json=TERMS)
    path = "/api/v1/documents/general-terms/2027-1/accept"
    async with portal.client(stranger.token) as api:
        assert (await api.post(path)).status_code == 204
    async with portal.client(owner.token) as api:
        [pending] = (await api.get("/api/v1/documents/asked")).json()["pending"]
        assert pending["version"] == "2027-1"
    await portal.admin.execute(
        "UPDATE portal.users SET role = 'user' WHERE tenant_id = $1", owner.tenant_id
    )
    async with portal.client(owner.token) as api:
        assert (await api.post(path)).status_code == 403
        assert (await api.get("/api/v1/documents/asked")).status_code == 403
    async with browser(portal) as page:
        signed_in = await sign_in(page, owner.email, PASSWORD)
        assert signed_in.headers["location"] == "/"
        assert (await page.get("/documents")).status_code == 403
    kept = await portal.admin.fetch("SELECT tenant_id FROM portal.acceptances")
    assert [row["tenant_id"] for row in kept] == [stranger.tenant_id]
