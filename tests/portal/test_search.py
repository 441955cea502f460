"""Files are found by a part of their name, by API and by page, and by their owner alone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import unescape
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import database as databases
from services.ingest import store
from services.ingest.actions import names
from tests.portal import builder
from tests.portal.test_files import NAMES
from tests.portal.test_pages import PASSWORD, browser, sign_in

Settle = Callable[[], Awaitable[None]]


@pytest.fixture
async def settle(database: Any) -> Settle:
    """Makes names findable, as ingest does after a commit."""

    async def settle() -> None:
        pool = await databases.create_pool(database.dsn("ingest"), "ingest", max_size=1)
        async with databases.transaction(pool) as conn:
            for plan in await conn.fetch("SELECT tenant_id, plan_id FROM catalogue.plans"):
                await store.rebuild.note_all_names(
                    conn, store.plans.CommitPlace(plan["tenant_id"], plan["plan_id"], 0)
                )
        while await names.add_due_names(pool):
            pass
        await pool.close()

    return settle


@pytest.fixture
async def client(portal: Any, settle: Settle) -> builder.Client:
    """A client with two plans, a deleted file and awkward names."""
    client = await builder.open_client(portal)
    tree = {b"srv/names/" + name: builder.text(b"content of " + name) for name in NAMES}
    tree |= {
        "srv/Été/Facture été.pdf".encode(): builder.text(b"bill"),
        b"srv/old/facture-1999.pdf": builder.text(b"old bill"),
    }
    await client.commit(tree)
    changed = {"srv/Été/Facture été.pdf".encode(): builder.text(b"new bill")}
    await client.commit(changed, 2, removed=[b"srv/old"])
    other = await client.add_machine("srv-photo", "photos")
    await other.commit({b"2026/facture.jpg": builder.text(b"picture")})
    await settle()
    return client


async def test_what_is_found_says_where_it_is_and_comes_back(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        answer = await api.get("/api/v1/search", params={"q": "FACTURE"})
        assert answer.status_code == 200, answer.text
        found = {one["path"]: one for one in answer.json()["results"]}
        assert answer.json()["next"] is None
        assert set(found) == {
            "srv/Été/Facture été.pdf", "srv/old/facture-1999.pdf", "2026/facture.jpg"
        }  # fmt: skip
        kept = found["srv/Été/Facture été.pdf"]
        assert (kept["plan"], kept["agent"], kept["kind"]) == ("documents", "srv-compta", "file")
        assert (kept["size"], kept["deleted"], kept["run"]) == (8, False, 2)
        assert (await api.get(kept["links"]["file"])).content == b"new bill"
        gone = found["srv/old/facture-1999.pdf"]
        assert (gone["deleted"], gone["run"]) == (True, 1)
        assert gone["last_seen_at"] == "2026-11-23T01:14:00Z"
        assert (await api.get(gone["links"]["file"])).content == b"old bill"
        folder = (await api.get(gone["links"]["folder"])).json()
        assert [one["name"] for one in folder["entries"]] == ["facture-1999.pdf"]
        assert found["2026/facture.jpg"]["plan"] == "photos"

        async def paths(**asked: Any) -> list[str]:
            answer = await api.get("/api/v1/search", params=asked)
            assert answer.status_code == 200, answer.text
            return sorted(one["path"] for one in answer.json()["results"])

        assert await paths(q="facture", plan="photos") == ["2026/facture.jpg"]
        assert await paths(q="facture", deleted="true") == ["srv/old/facture-1999.pdf"]
        assert len(await paths(q="facture", deleted="false")) == 2
        below = {"plan": "documents", "below": "/srv/old/"}
        assert await paths(q="facture", **below) == ["srv/old/facture-1999.pdf"]
        assert await paths(q="facture", plan="documents", below="srv/nowhere") == []

        seen: list[str] = []
        after = ""
        while after is not None:
            params = {"q": "facture", "limit": 1, "after": after}
            page = (await api.get("/api/v1/search", params=params)).json()
            seen += [one["path"] for one in page["results"]]
            after = page["next"]
        assert sorted(seen) == sorted(found)

        for wrong in (
            {}, {"q": " "}, {"q": "x" * 300}, {"q": "\u0301"}, {"q": "a", "below": "srv"},
            {"q": "a", "after": "x"}, {"q": "a", "after": "1.2.3"}, {"q": "a", "limit": 0},
        ):  # fmt: skip
            refused = await api.get("/api/v1/search", params=wrong)
            assert refused.status_code == 422, wrong
            assert refused.headers["content-type"] == "application/problem+json"
        beyond = {"q": "facture", "after": "99999999999999.0"}
        assert len(await paths(**beyond)) == 3


async def test_any_name_is_found_by_what_is_shown_of_it(portal: Any, client: Any) -> None:
    async with portal.client(client.token) as api:
        listed = await api.get("/api/v1/plans/documents/entries?path=srv/names&run=1")
        assert len(listed.json()["entries"]) == len(NAMES)
        for entry in listed.json()["entries"]:
            asked = {"q": entry["name"][:200], "plan": "documents"}
            answer = await api.get("/api/v1/search", params=asked)
            assert answer.status_code == 200, answer.text
            [found] = [one for one in answer.json()["results"] if one["path"] == entry["path"]]
            assert (await api.get(found["links"]["file"])).content.startswith(b"content of ")


async def test_a_stranger_finds_nothing_and_every_search_is_written_down(
    portal: Any, client: Any
) -> None:
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    async with portal.client(stranger.token) as api:
        for plan in ("", "other"):
            answer = await api.get("/api/v1/search", params={"q": "facture", "plan": plan})
            assert answer.json() == {"results": [], "next": None}
        for plan in (str(client.plan_id), "documents", str(uuid4()), "'"):
            answer = await api.get("/api/v1/search", params={"q": "facture", "plan": plan})
            assert answer.status_code == 404
    async with browser(portal) as page:
        await sign_in(page, stranger.email, PASSWORD)
        assert "facture" not in (await page.get("/search?q=fact")).text
        assert (await page.get(f"/search?q=fact&plan={client.plan_id}")).status_code == 404
    async with portal.client() as nobody:
        assert (await nobody.get("/api/v1/search?q=facture")).status_code == 401
    async with portal.client(client.token) as api:
        await api.get("/api/v1/search", params={"q": "facture\u202e", "plan": "photos"})
    row = await portal.admin.fetchrow(
        "SELECT act, fields::text FROM portal.access_log WHERE tenant_id = $1"
        " ORDER BY number DESC LIMIT 1",
        client.tenant_id,
    )
    assert row["act"] == "searched"
    for part in (r"facture\\u202e", "photos", '"results": 0'):
        assert part in row["fields"]


async def test_the_page_finds_leads_there_and_says_when_there_is_nothing(
    portal: Any, client: Any
) -> None:
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        assert 'role="search"' in (await page.get("/")).text
        assert 'role="search"' in (await page.get(f"/plans/{client.plan_id}/files")).text
        asked = f"/search?q=facture&plan={client.plan_id}&below=srv&where=folder"
        shown = (await page.get(asked)).text
        assert "Facture été.pdf" in shown
        assert "facture-1999.pdf" in shown
        assert "supprimé</span>" in shown
        assert "sauvegardé pour la dernière fois le 23/11/2026 02:14" in shown
        assert "facture.jpg" not in shown
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', shown)]
        [old] = [link for link in links if "/file?run=1&" in link and "1999" in link]
        assert (await page.get(old)).content == b"old bill"
        [versions] = [link for link in links if "/versions?" in link and "1999" in link]
        assert (await page.get(versions)).status_code == 200
        [folder] = [link for link in links if link.endswith("/files?path=srv/old&run=1")]
        assert "facture-1999.pdf" in (await page.get(folder)).text
        everywhere = (await page.get(asked.replace("folder", "all"))).text
        assert "facture.jpg" in everywhere
        assert "srv-photo" in everywhere
        nothing = (await page.get("/search?q=nowhere")).text
        assert "Aucun fichier ni dossier" in nothing
        assert "Aucun fichier" not in (await page.get("/search")).text
        hostile = (await page.get("/search?q=alert")).text
        assert "&lt;script&gt;alert(1)&lt;script&gt;.html" in hostile
        assert "<script>" not in hostile
        evil = (await page.get('/search?q="><script>x&after=')).text
        assert "<script>" not in evil
        assert (await page.get("/search?q=a&after=evil")).status_code == 422
        words = unescape((await page.get("/search?q=pdf+ETE+facture")).text)
        assert "Facture été.pdf" in words
        assert "1999" not in words
        percent = unescape((await page.get("/search?q=%25")).text)
        assert "Aucun fichier ni dossier" in percent
        assert "per%cent&and=more#hash?q" in unescape((await page.get("/search?q=r%25c")).text)
        long = await page.get("/search?q=" + "x" * 10_000)
        assert long.status_code == 422
        assert "C’est trop long" in long.text
        browse = (await page.get("/search")).text
        assert f"/plans/{client.plan_id}/files" in browse
        assert "srv-photo" in browse


async def test_searching_ends_with_the_subscription(portal: Any, client: Any) -> None:
    async with portal.operator() as api:
        await api.post(f"/api/v1/tenants/{client.tenant_id}/end", json={"reason": "over"})
    async with portal.client(client.token) as api:
        for url in (
            "/api/v1/search?q=facture",
            "/api/v1/plans/documents/history?path=srv/old/facture-1999.pdf",
            "/api/v1/plans/documents/entries?deleted=1",
        ):
            assert (await api.get(url)).status_code == 403, url
