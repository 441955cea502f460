"""Pages: signing in by browser, forms that only their own site can send, names shown safely."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx2
import pytest

from libs.shared.reasons import Reason
from libs.shared.words.tongue import Tongue
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD

EMAIL = "camille@dupre.example"
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "fr-FR,fr;q=0.9"}


def browser(portal: Any) -> httpx2.AsyncClient:
    """A browser, as far as headers and cookies go."""
    return portal.client(headers=BROWSER)


async def sign_in(page: httpx2.AsyncClient, email: str, password: str, onward: str = "/") -> Any:
    return await page.post("/sign-in", data={"email": email, "password": password, "next": onward})


def form_token(html: str) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', html)
    assert found, html
    return found.group(1)


async def test_the_first_sign_in_leads_to_a_password_and_in(portal: Any) -> None:
    await portal.open_tenant("Dupré & Fils <b>", EMAIL)
    one_time = await portal.one_time_password(EMAIL)
    async with browser(portal) as page:
        sent_away = await page.get("/plans/x?run=1")
        assert sent_away.status_code == 303
        assert sent_away.headers["location"] == "/sign-in?next=%2Fplans%2Fx%3Frun%3D1"
        door = await page.get(sent_away.headers["location"])
        assert "Se connecter" in door.text
        assert 'value="/plans/x?run=1"' in door.text
        asked = await sign_in(page, EMAIL, one_time)
        assert "ne sert qu’une fois" in asked.text
        assert asked.text.count('aria-describedby="rule"') == 2
        assert "set-cookie" not in asked.headers
        change = {"first": "yes", "email": EMAIL, "password": one_time}
        differ = {**change, "new_password": PASSWORD, "repeated": "something else"}
        assert "diffèrent" in (await page.post("/password", data=differ)).text
        short = await page.post(
            "/password", data={**change, "new_password": "short", "repeated": "short"}
        )
        assert short.status_code == 422
        assert "au moins 12" in short.text
        for weak, said in (
            ("Camille Martin 2026", "fait de votre nom"),
            ("motdepasse2026", "essaie en premier"),
            ("abcabcabcabcabc", "répétition"),
        ):
            answer = await page.post(
                "/password", data={**change, "new_password": weak, "repeated": weak}
            )
            assert answer.status_code == 422
            assert said in answer.text
            assert "quatre mots" in answer.text
        done = await page.post(
            "/password", data={**change, "new_password": PASSWORD, "repeated": PASSWORD}
        )
        assert done.status_code == 303
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        home = await page.get("/")
        assert "Dupré &amp; Fils &lt;b&gt;" in home.text
        assert "Ajoutez votre première machine" in home.text
        policy = home.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert home.headers["cache-control"] == "private, no-store"
        assert (await page.get("/static/coffre.css")).status_code == 200


async def test_a_wrong_sign_in_is_said_in_the_readers_language(portal: Any) -> None:
    async with browser(portal) as page:
        wrong = await sign_in(page, "nobody@x.example", "wrong")
        assert wrong.status_code == 401
        assert "mot de passe est incorrect" in wrong.text
        english = await page.post(
            "/sign-in",
            data={"email": "nobody@x.example", "password": "wrong"},
            headers={"Accept-Language": "en-GB"},
        )
        assert "The address or the password is wrong" in english.text
        for _ in range(4):
            last = await sign_in(page, "nobody@x.example", "wrong")
        assert last.status_code == 429
        assert int(last.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("onward", "led_to"),
    [
        ("/plans/x?run=1", "/plans/x?run=1"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
    ],
)
async def test_signing_in_never_leads_away(portal: Any, onward: str, led_to: str) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    async with browser(portal) as page:
        answer = await sign_in(page, EMAIL, PASSWORD, onward)
    assert answer.status_code == 303
    assert unquote(answer.headers["location"]) == led_to


async def test_another_site_can_not_send_our_forms(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    async with browser(portal) as page:
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            refused = await page.post(
                "/sign-in", data={"email": EMAIL, "password": PASSWORD}, headers=foreign
            )
            assert refused.status_code == 403
        assert (await sign_in(page, EMAIL, PASSWORD)).status_code == 303
        token = form_token((await page.get("/account")).text)
        bare = await page.post("/account", data={"locale": "en"})
        assert bare.status_code == 403
        assert "périmé" in bare.text
        assert (await page.post("/sign-out", data={"form_token": "0" * 64})).status_code == 403
        # A cookie alone changes nothing by the JSON API either.
        assert (await page.delete("/api/v1/tokens")).status_code == 401
        good = await page.post("/account", data={"locale": "en", "form_token": token})
        assert good.status_code == 303
        assert "Language of pages" in (await page.get("/account")).text


async def test_signing_out_ends_the_session_at_once(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        cookies = dict(page.cookies)
        token = form_token((await page.get("/account")).text)
        assert (await page.post("/sign-out", data={"form_token": token})).status_code == 303
    async with portal.client(cookies=cookies, headers=BROWSER) as thief:
        assert (await thief.get("/account")).status_code == 303
        assert (await thief.get("/api/v1/plans")).status_code == 303


async def test_a_client_sees_plans_runs_and_files(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    hostile = b"<img src=x onerror=alert(1)>\xff\n"
    await client.commit({b"srv/" + hostile: builder.text(b"x"), b"srv/hollow": builder.folder()})
    await client.add_run(1, "succeeded_with_warnings", files_not_copied=2)
    gone = {"code": "folder-missing", "subject": "/srv/<data>", "detail": "No such file"}
    await client.add_run(2, "failed", reason=gone)
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        home = (await page.get("/")).text
        assert "«\u00a0documents\u00a0» n’est plus sauvegardé depuis le 22/11/2026." in home
        assert "Le dossier /srv/&lt;data&gt; n’est plus là." in home
        plan = (await page.get(f"/plans/{client.plan_id}")).text
        assert "Réussie avec réserves" in plan
        assert "22/11/2026 à 02:14" in plan
        run = await page.get(f"/plans/{client.plan_id}/runs/1")
        assert "47\u00a0912" in run.text
        files = (await page.get(f"/plans/{client.plan_id}/files?path=srv")).text
        assert r"&lt;img src=x onerror=alert(1)&gt;\xff\n" in files
        assert "<img src=x" not in files
        link = re.search(r'href="(/api/v1/plans/[^"]+/file\?[^"]+)"', files)
        assert link
        got = await page.get(link.group(1).replace("&amp;", "&"))
        assert got.content == b"x"
        empty = await page.get(f"/plans/{client.plan_id}/files?path=srv/hollow")
        assert "Ce dossier est vide" in empty.text
        lost = await page.get(f"/plans/{client.plan_id}/files?path=srv/none")
        assert lost.status_code == 404
        assert "Introuvable" in lost.text
        assert lost.headers["content-type"].startswith("text/html")
        for nowhere in ("/nope", "/clients", f"/plans/{client.plan_id}/runs/77"):
            assert (await page.get(nowhere)).status_code == 404


async def test_what_a_machine_warns_of_is_shown_with_its_run(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    hostile = "<b>%(x)s{subject}"
    warnings = [
        Reason("clock-ahead", amount=315_576_000),
        Reason("clock-behind", amount=2**63 - 1),
        *(
            Reason(code, hostile, detail=hostile)
            for code in ("state-not-kept", "after-hook-not-started", "ping-failed", "newer")
        ),
        *(Reason(code) for code in ("state-damaged", "state-foreign", "newest", "clock-ahead")),
    ]
    shown = [Tongue("fr").explain(warning).cause for warning in warnings]
    told = {
        "outcome": "succeeded_with_warnings",
        "warnings": [warning.as_dict() for warning in warnings],
    }
    await client.add_run(1, **told)
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        home = (await page.get("/")).text
        assert "Votre serveur est sauvegardé, avec des réserves." in home
        assert "fichiers n’ont pas pu être sauvegardés" not in html.unescape(home)
        run = (await page.get(f"/plans/{client.plan_id}/runs/1")).text
        for text in (home, run):
            assert "<b>" not in text
            for sentence in shown:
                assert sentence in html.unescape(text)
        await client.add_run(2, "succeeded_with_warnings", files_not_copied=2)
        home = html.unescape((await page.get("/")).text)
        assert "2 fichiers n’ont pas été sauvegardés" in home
        assert shown[0] not in home
        assert "Réserves émises" not in (await page.get(f"/plans/{client.plan_id}/runs/2")).text


async def test_a_client_sees_when_what_is_stored_was_verified(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    stranger = await builder.open_client(portal, "lea@martin.example", "Menuiserie Martin")
    await stranger.commit({b"srv/c": builder.text(b"z")})
    change = "UPDATE catalogue.packs SET {} WHERE tenant_id = $1 AND pack_no = (SELECT min(pack_no)"
    change += " FROM catalogue.packs WHERE tenant_id = $1)"
    token = await portal.sign_in(EMAIL)
    async with browser(portal) as page, portal.client(token) as api:
        await sign_in(page, EMAIL, PASSWORD)
        assert "Intégrité" not in (await page.get("/")).text
        assert (await api.get("/api/v1/plans")).json()["verified_since"] is None
        await client.commit({b"srv/a": builder.text(b"x")})
        await client.commit({b"srv/a": builder.text(b"x"), b"srv/b": builder.text(b"y")}, 2)
        await portal.admin.execute(
            change.format("stored_at = '2026-10-29Z', verified_at = '2026-10-30 12:00Z'"),
            client.tenant_id,
        )
        home = html.unescape((await page.get("/")).text)
        assert "vérifiée depuis le 30/10/2026" in home
        assert "endommagée" not in home
        await portal.admin.execute(
            change.format("state = 'damaged', damaged_at = '2026-11-12 12:00Z'"), client.tenant_id
        )
        home = html.unescape((await page.get("/")).text)
        assert "Le 12/11/2026, une partie a été trouvée endommagée" in home
        assert "vérifiée depuis le 30/10/2026" not in home
        told = (await api.get("/api/v1/plans")).json()
        assert told["damaged_at"].startswith("2026-11-12T12:00")
        assert told["verified_since"] is not None


async def test_an_ended_subscription_says_so_and_when_data_goes(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    await client.commit({b"srv/a": builder.text(b"x")})
    await client.add_run(1)
    async with portal.operator() as api:
        await api.post(f"/api/v1/tenants/{client.tenant_id}/end", json={"reason": "déménage"})
    await portal.admin.execute("UPDATE portal.tenants SET destruction_due_at = '2026-12-24 12:00Z'")
    here = f"/clients/{client.tenant_id}"
    async with browser(portal) as page, browser(portal) as desk:
        await sign_in(page, EMAIL, PASSWORD)
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        home = (await page.get("/")).text
        for shown in (home, (await desk.get(here)).text):
            assert re.findall(r'<span class="badge \w+"><svg.*?</svg>(\w+)', shown) == ["Arrêtée"]
        assert "seront détruites le 24/12/2026" in home
        assert "déménage" in home
        files = await page.get(f"/plans/{client.plan_id}/files")
        assert files.status_code == 403
        assert "ne peuvent plus être récupérés" in files.text


async def test_a_destroyed_client_is_not_said_to_wait_for_machines(portal: Any) -> None:
    await portal.open_tenant("Optique Lumière", EMAIL)
    gone = await portal.admin.fetchval(
        "UPDATE portal.tenants SET subscription = 'destroyed' RETURNING tenant_id"
    )
    async with browser(portal) as desk:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        shown = (await desk.get(f"/clients/{gone}")).text
        assert "Ses sauvegardes ont été détruites" in shown
        assert "Aucune machine" not in shown


async def test_operators_work_by_page(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    here = f"/clients/{client.tenant_id}"
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert (await page.get("/")).headers["location"] == "/queue"
        empty = await page.get("/queue")
        assert (empty.status_code, "Rien n’attend" in empty.text) == (200, True)
        assert "Boulangerie Dupré" in (await page.get("/clients")).text
        token = form_token((await page.get(here)).text)
        asked = {"form_token": token, "key": str(uuid4()), "label": "serveur\0\n"}
        code = await page.post(f"{here}/enrolments", data=asked)
        assert re.search(r"[a-z0-9]{5}(-[a-z0-9]{5}){3}", code.text)
        # The page is loaded again: no other code, as the events below say too.
        again = await page.post(f"{here}/enrolments", data=asked)
        assert again.headers["location"] == f"{here}?said=code-shown"
        assert "Ce code a été affiché une fois" in (await page.get(f"{here}?said=code-shown")).text
        revoke = f"{here}/agents/{client.agent_id}/revoke"
        assert (await page.post(revoke, data={"form_token": token})).status_code == 303
        assert "révoquée" in (await page.get(here)).text
        step = f"{here}/subscription"
        sent = {"form_token": token, "when": "now", "name": "boulangerie dupré", "reason": "fin"}
        silent = await page.post(f"{step}/end", data={**sent, "reason": " "})
        assert silent.headers["location"] == f"{step}/end?problem=reason-missing"
        other = await page.post(f"{step}/end", data={**sent, "name": "Boulangerie"})
        assert other.headers["location"] == f"{step}/end?problem=name-wrong"
        assert "Tapez le nom du client" in (await page.get(other.headers["location"])).text
        assert await portal.events("subscription.ended.v1") == []
        ended = await page.post(f"{step}/end", data=sent)
        assert ended.headers["location"] == f"{here}/contract"
        again = await page.post(f"{step}/end", data=sent)
        assert again.headers["location"] == f"{step}/end?problem=subscription-state"
        assert "Rétablir" in (await page.get(f"{here}/contract")).text
        back = await page.post(f"{step}/reinstate", data={"form_token": token, "reason": "reste"})
        assert back.headers["location"] == f"{here}/contract"
        assert (await page.post(f"{step}/dance", data={"form_token": token})).status_code == 404
    [revoked] = await portal.events("agent.revoked.v1")
    assert revoked["agent_id"] == str(client.agent_id)
    assert [e["label"] for e in await portal.events("enrolment.opened.v1")] == ["serveur"]
