"""Second factors: set up, asked for, used once, lost, and what operators need."""

from __future__ import annotations

import asyncio
import html
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest

from services.portal.rules import factors
from tests.portal import builder
from tests.portal.browsing import follow
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD, open_portal
from tests.portal.test_duties import PASSWORD as DUTY_PASSWORD
from tests.portal.test_duties import let_in, settle
from tests.portal.test_pages import browser, form_token, sign_in
from tests.portal.test_people_pages import UGO, UGO_TYPED, find_user, open_people

CAMILLE = "camille@dupre.example"
FACTORS = "/account/second-factor"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_code_is_good_for_three_steps_and_never_twice() -> None:
    secret, at = pyotp.random_base32(), int(NOON.timestamp())
    totp, step = pyotp.TOTP(secret), at // 30
    for drift, expected in ((-60, None), (-30, step - 1), (0, step), (30, step + 1), (60, None)):
        assert factors.find_step(secret, totp.at(at + drift), NOON, 0) == expected, drift
    assert factors.find_step(secret, totp.at(at), NOON, step) is None, "it was taken before"
    assert factors.find_step(secret, totp.at(at + 30), NOON, step) == step + 1
    assert factors.find_step(secret, "", NOON, 0) is None


async def set_up_totp(page: Any, token: dict[str, str]) -> tuple[pyotp.TOTP, list[str]]:
    """Enrols by page; the app, and the recovery codes that were shown."""
    begin = {**token, "change": "begin-totp", "password": PASSWORD}
    begun = await page.post(FACTORS, data=begin)
    assert "<svg" in begun.text
    found = re.search(r'<code class="once">([A-Z2-7]{32})</code>', begun.text)
    assert found, begun.text
    totp = pyotp.TOTP(found.group(1))
    confirm = {**token, "change": "confirm-totp", "secret": found.group(1)}
    wrong = await page.post(FACTORS, data={**confirm, "code": "000000"})
    assert wrong.status_code == 401
    assert found.group(1) in wrong.text, "one tries again with the same key"
    done = await page.post(FACTORS, data={**confirm, "code": totp.now()})
    codes = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", done.text)
    assert (done.status_code, len(codes)) == (200, factors.RECOVERY_CODES), done.text
    again = await page.post(FACTORS, data=begin)
    assert 'class="once"' not in again.text, "nobody reads the key a second time"
    return totp, codes


def later(totp: pyotp.TOTP) -> str:
    """The code after this one: this one was taken."""
    return totp.at(int(time.time()) + factors.STEP_SECONDS)


async def second(page: Any, code: str, onward: str = "/") -> Any:
    return await page.post("/sign-in/second", data={"code": code, "next": onward})


async def test_a_sign_in_asks_for_the_code_and_takes_it_once(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as other, portal.client() as program:
        totp, codes = await set_up_totp(page, await open_people(page))
        asked = await sign_in(other, CAMILLE, PASSWORD, "/orders")
        assert asked.headers["location"] == "/sign-in/second?next=%2Forders"
        assert "Deuxième étape" in (await other.get(asked.headers["location"])).text
        for closed in ("/", "/account", FACTORS):
            assert (await other.get(closed)).headers["location"].startswith("/sign-in?next")
        assert (await other.get("/api/v1/plans", headers={"Accept": "*/*"})).status_code == 401
        wrong = await second(other, "123456")
        assert (wrong.status_code, "Refusé" in wrong.text) == (401, True)
        code = later(totp)
        let_in = await second(other, code, "/orders")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/orders")
        assert (await other.get("/account")).status_code == 200
        assert (await second(other, code)).status_code == 401, "what waited is gone"
        # A program sends it with the password; a code that was taken opens nothing more.
        body = {"email": CAMILLE, "password": PASSWORD}
        lacking = await program.post("/api/v1/tokens", json=body)
        assert lacking.json()["type"].endswith(":second-factor-required")
        replayed = await program.post("/api/v1/tokens", json={**body, "totp": code})
        assert replayed.json()["type"].endswith(":second-factor-wrong")
        by_paper = {**body, "totp": codes[0].upper().replace("-", " ")}
        both = await asyncio.gather(
            program.post("/api/v1/tokens", json=by_paper),
            program.post("/api/v1/tokens", json=by_paper),
        )
        assert sorted(one.status_code for one in both) == [201, 401], "each is good once"
        change = {**body, "new_password": PASSWORD + " et Brest"}
        bare = await program.post("/api/v1/password", json=change)
        assert bare.json()["type"].endswith(":second-factor-required")
        kept = await portal.admin.fetchval("SELECT sealed_secret FROM portal.totps")
        assert totp.secret not in kept, "a copy of the database opens nothing"


async def test_codes_are_guessed_as_seldom_as_passwords(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as thief:
        totp, _ = await set_up_totp(page, await open_people(page))
        await sign_in(thief, CAMILLE, PASSWORD)
        answers = [await second(thief, f"{n:06}") for n in range(6)]
        # One more was wrong when the app was set up.
        assert [one.status_code for one in answers] == [401] * 4 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await second(thief, later(totp))).status_code == 429, "the right one waits as well"


async def test_who_lost_the_telephone_is_helped_and_the_password_guards_the_rest(
    portal: Any,
) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as his:
        token = await open_people(page)
        await page.post("/people", data={**token, **UGO_TYPED})
        await portal.sign_in(UGO)
        await sign_in(his, UGO, PASSWORD)
        own = {"form_token": form_token((await his.get("/account")).text)}
        _, codes = await set_up_totp(his, own)
        for change in ("codes", "remove"):
            refused = await his.post(FACTORS, data={**own, "change": change, "password": "wrong"})
            assert (refused.status_code, "incorrect" in refused.text) == (401, True), change
        new = await his.post(FACTORS, data={**own, "change": "codes", "password": PASSWORD})
        assert codes[0] not in new.text
        helped = await page.post(await find_user(portal, UGO), data={**token, "change": "factors"})
        assert helped.headers["location"] == "/people?done=factors"
        assert (await his.get("/account")).status_code == 303, "signed out"
        assert (await sign_in(his, UGO, PASSWORD)).headers["location"] == "/"
        own = {"form_token": form_token((await his.get("/account")).text)}
        await set_up_totp(his, own)
        removed = await his.post(
            FACTORS, data={**own, "change": "remove", "passkey_id": "", "password": PASSWORD}
        )
        assert removed.headers["location"] == f"{FACTORS}?done=removed"
        gone = await his.post(
            FACTORS, data={**own, "change": "remove", "passkey_id": "", "password": PASSWORD}
        )
        assert gone.headers["location"] == f"{FACTORS}?done=gone"
        assert await portal.admin.fetchval("SELECT count(*) FROM portal.recovery_codes") == 0
        await his.post(FACTORS, data={**own, "change": "begin-totp", "password": PASSWORD})
        for change in ("begin-totp", "begin-passkey", "confirm-totp"):
            left_open = await his.post(FACTORS, data={**own, "change": change, "label": "mine"})
            assert left_open.status_code == 401, change
            for way_in in ('class="once"', "data-options"):
                assert way_in not in left_open.text, "an open session locks nobody out"
        for answer in ("", "{}", "[]", '{"rawId": "AAAA"}', "\0"):
            forged = await his.post(
                FACTORS, data={**own, "change": "add-passkey", "credential": answer}
            )
            assert forged.status_code == 422, answer


async def test_operators_set_one_up_before_anything_else(
    database: Any, servers: Any, bucket: str, tmp_path: Path
) -> None:
    async with open_portal(database, servers, bucket, tmp_path, is_production=True) as portal:
        async with portal.operator() as api:
            assert (await api.get("/api/v1/tenants")).status_code == 200, "its own token goes on"
        async with (
            portal.client() as program,
            browser(portal) as desk,
            browser(portal) as stranger,
        ):
            body = {"email": OPERATOR_EMAIL, "password": OPERATOR_PASSWORD}
            refused = await program.post("/api/v1/tokens", json=body)
            assert refused.json()["type"].endswith(":second-factor-missing")
            await sign_in(stranger, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            for closed in ("/clients", "/account", "/"):
                assert (await desk.get(closed)).headers["location"] == FACTORS
            bare = await desk.get("/api/v1/tenants", headers={"Accept": "*/*"})
            assert bare.status_code == 401
            shown = html.unescape((await desk.get(FACTORS)).text)
            assert "Les opérateurs en ont besoin" in shown
            token = {"form_token": form_token(shown)}
            totp, _ = await set_up_totp(desk, token)
            assert (await desk.get("/clients")).status_code == 200
            waited = (await stranger.get("/clients")).headers.get("location", "let in")
            assert waited.startswith("/sign-in"), "who learnt the password typed no code"
            kept = await desk.post(
                FACTORS,
                data={**token, "change": "remove", "passkey_id": "", "password": OPERATOR_PASSWORD},
            )
            assert (kept.status_code, "gardent au moins" in kept.text) == (403, True)
            with_code = {**body, "totp": later(totp)}
            assert (await program.post("/api/v1/tokens", json=with_code)).status_code == 201


@pytest.fixture
def authenticator() -> Any:
    """Chromium's own, which signs without a finger."""
    return {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }


async def come_late(route: Any) -> None:
    """A script that is there after whoever clicks at once."""
    await asyncio.sleep(0.5)
    await route.continue_()


async def test_a_passkey_opens_the_second_door_in_a_real_browser(
    portal: Any, authenticator: Any
) -> None:
    from playwright.async_api import async_playwright

    await builder.open_client(portal)
    await portal.sign_in(CAMILLE)
    # Passkeys belong to a name, never to a number.
    port = portal.url.rpartition(":")[2]
    own = replace(portal.parts, portal_url=f"http://localhost:{port}")
    portal.app.state.resources = own
    async with async_playwright() as play:
        chromium = await play.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = await chromium.new_context(locale="fr-FR")
        page = await context.new_page()
        heard: list[str] = []
        page.on("console", lambda message: heard.append(message.text))
        await page.route("**/passkeys*.js*", come_late)
        cdp = await context.new_cdp_session(page)
        await cdp.send("WebAuthn.enable")
        await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})
        await page.goto(own.portal_url + "/sign-in")
        await page.fill("#email", CAMILLE)
        await page.fill("#password", PASSWORD)
        await page.get_by_role("button", name="Afficher le mot de passe").click()
        assert await page.get_attribute("#password", "type") == "text"
        await follow(page.get_by_role("button", name="Se connecter"))
        await page.goto(own.portal_url + FACTORS)
        await page.fill("#label", "Ordinateur <b>")
        await page.fill("#p-passkey", PASSWORD)
        await page.get_by_role("button", name="Ajouter une clé d’accès").click()
        await page.get_by_role("button", name="Créer la clé d’accès").click()
        await page.get_by_text("Vos codes de secours").wait_for()
        await context.clear_cookies()
        await page.goto(own.portal_url + "/sign-in?next=/account/second-factor")
        await page.fill("#email", CAMILLE)
        await page.fill("#password", PASSWORD)
        await page.get_by_role("button", name="Se connecter").click()
        await page.get_by_role("button", name="Utiliser une clé d’accès").click()
        await page.get_by_text("Ordinateur <b> depuis").wait_for()
        assert page.url.endswith(FACTORS)
        assert not heard, heard
        await chromium.close()


@pytest.mark.parametrize("takes_two", [False, True])
async def test_an_administrator_who_lost_it_is_helped_from_the_desk(
    portal: Any, takes_two: bool
) -> None:
    client = await builder.open_client(portal)
    four_eyes = frozenset({"reset"}) if takes_two else frozenset()
    portal.app.state.resources = replace(portal.parts, four_eyes=four_eyes)
    async with browser(portal) as page, browser(portal) as desk:
        await set_up_totp(page, await open_people(page))
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        here = f"/clients/{client.tenant_id}"
        shown = (await desk.get(here)).text
        assert 'name="forget_factors"' in shown
        form = {"form_token": form_token(shown), "email": CAMILLE, "forget_factors": "yes"}
        await desk.post(f"{here}/reset", data=form)
    count = "SELECT count(*) FROM portal.totps"
    if takes_two:
        assert await portal.admin.fetchval(count) == 1
        second_email = await let_in(portal, "administrator")
        async with browser(portal) as other:
            await sign_in(other, second_email, DUTY_PASSWORD)
            early = html.unescape((await other.get("/queue")).text)
            [confirm] = re.findall(r'action="(/approvals/[^"]+/confirm)"', early)
            soon = await other.post(confirm, data={"form_token": form_token(early)})
            assert "il y a moins de 7 jours" in html.unescape(
                (await other.get(soon.headers["location"].partition("#")[0])).text
            )
            await settle(portal)
            queue = html.unescape((await other.get("/queue")).text)
            assert "retirer ses seconds facteurs" in queue
            [confirm] = re.findall(r'action="(/approvals/[^"]+/confirm)"', queue)
            await other.post(confirm, data={"form_token": form_token(queue)})
    assert await portal.admin.fetchval(count) == 0
